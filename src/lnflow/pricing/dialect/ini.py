"""INI text as charge-lnd reads it (Python's strict configparser), with the line of every section and key.

configparser decides what a section, a key and a value are; a scan of our own, which follows the same rules
for lines, only finds where they stand.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from lnflow.pricing.dialect.values import BadValue
from lnflow.pricing.problems import Problem, Severity

INHERITED = "DEFAULT"  # configparser's own section: its keys appear in every other one
_SECTION = configparser.ConfigParser.SECTCRE
_OPTION = configparser.ConfigParser.OPTCRE
_COMMENT = ("#", ";")
T = TypeVar("T")


class Entry(Struct, frozen=True, kw_only=True):
    """One key of a section.  `value` is None if it could not be interpolated; `broken` then says why."""

    key: str
    value: str | None
    file: str
    section: str
    line: int | None
    inherited: bool = False
    broken: str | None = None

    def problem(
        self, text: str, remedy: str | None = None, severity: Severity = Severity.ERROR, code: str = ""
    ) -> Problem:
        return Problem(
            severity=severity,
            file=self.file,
            line=self.line,
            section=self.section,
            text=text,
            remedy=remedy,
            code=code,
        )

    def read(self, reader: Callable[[str], T]) -> T | Problem:
        """Return the value as `reader` understands it, or the problem with its line."""
        if self.value is None:
            return self.problem(f"{self.key}: {self.broken}", "a literal $ is written $$")
        try:
            return reader(self.value)
        except ValueError as exc:
            return self.problem(f"{self.key} = {exc}", exc.remedy if isinstance(exc, BadValue) else None)


class Section(Struct, frozen=True, kw_only=True):
    """A section with its keys in configparser's order: its own first, then those of `[DEFAULT]`."""

    name: str
    line: int | None
    entries: dict[str, Entry]


class IniFile(Struct, frozen=True, kw_only=True):
    """All sections except `[DEFAULT]`, in file order; none if the file cannot be parsed at all."""

    path: str
    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()


def parse_ini(text: str, path: str) -> IniFile:
    """Return the sections of `text`; a syntax error is a problem with its line, never an exception."""
    parser = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
    try:
        parser.read_string(text, source=path)
    except configparser.Error as exc:
        return IniFile(path=path, problems=tuple(_syntax_problems(exc, path)))
    lines = _find_lines(text)
    sections = tuple(_section(parser, name, path, lines) for name in parser.sections())
    return IniFile(path=path, sections=sections)


def _section(
    parser: configparser.ConfigParser, name: str, path: str, lines: dict[tuple[str, str | None], int]
) -> Section:
    entries = {}
    own = {key for section, key in lines if section == name}
    for key in parser.options(name):
        value: str | None
        try:
            value, broken = parser.get(name, key), None
        except configparser.InterpolationError as exc:
            value, broken = None, " ".join(str(exc.message).split())
        except (ValueError, RecursionError) as exc:
            value, broken = None, f"cannot be interpolated: {exc}"
        inherited = key not in own
        entries[key] = Entry(
            key=key,
            value=value,
            file=path,
            section=name,
            line=lines.get((INHERITED if inherited else name, key)),
            inherited=inherited,
            broken=broken,
        )
    return Section(name=name, line=lines.get((name, None)), entries=entries)


def _find_lines(text: str) -> dict[tuple[str, str | None], int]:
    """Return the first line of each (section, key), and of each section under (section, None)."""
    found: dict[tuple[str, str | None], int] = {}
    section: str | None = None
    in_option, indent = False, 0
    for number, line in enumerate(text.split("\n"), start=1):
        content = "" if line.strip().startswith(_COMMENT) else line.strip()
        if not content:
            continue
        depth = len(line) - len(line.lstrip())
        if section is not None and in_option and depth > indent:
            continue  # a continuation of the value above
        indent = depth
        header = _SECTION.match(content)
        if header:
            section, in_option = header.group("header"), False
            found.setdefault((section, None), number)
            continue
        option = _OPTION.match(content)
        if section is not None and option:
            found.setdefault((section, option.group("option").rstrip().lower()), number)
            in_option = True
    return found


def _syntax_problems(exc: configparser.Error, path: str) -> list[Problem]:
    def problem(line: int | None, section: str | None, text: str, remedy: str) -> Problem:
        return Problem(severity=Severity.ERROR, file=path, line=line, section=section, text=text, remedy=remedy)

    match exc:
        case configparser.DuplicateSectionError():
            text = "the section is there twice"
            return [problem(exc.lineno, exc.section, text, "rename one of the two, or merge them")]
        case configparser.DuplicateOptionError():
            text = f"the key {exc.option!r} is there twice in this section"
            return [problem(exc.lineno, exc.section, text, "keep one of the two")]
        case configparser.MissingSectionHeaderError():
            text = "text before the first section"
            return [problem(exc.lineno, None, text, "start with a line like [my-rule]")]
        case configparser.ParsingError():
            remedy = "write key = value; indent only what continues a value"
            return [problem(line, None, f"not understood: {_excerpt(content)}", remedy) for line, content in exc.errors]
        case _:
            return [problem(None, None, " ".join(str(exc).split()), "see docs/reference/policy-files.md")]


def _excerpt(content: str) -> str:
    text = re.sub(r"\\n'?$", "", str(content)).strip().strip("'\"")
    return text if len(text) <= 60 else text[:57] + "..."

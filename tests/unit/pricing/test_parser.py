"""INI as configparser decides it, with lines; whatever the text, problems and never an exception."""

from __future__ import annotations

import configparser
import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.pricing.builders import build, channel, node

from lnflow.domain.errors import ConfigurationError
from lnflow.pricing.decision import Action, decide
from lnflow.pricing.dialect import values
from lnflow.pricing.dialect.check import check
from lnflow.pricing.dialect.ini import parse_ini
from lnflow.pricing.dialect.load import load_policy_file
from lnflow.pricing.dialect.settings import SETTING_READERS
from lnflow.pricing.dialect.vocabulary import PROPERTIES, STRATEGIES
from lnflow.pricing.facts import ChannelCost, PriceLevel
from lnflow.pricing.guards import ChannelHistory, Pipeline, guard

FRAGMENTS = """[a] [b] [default] [DEFAULT] [lnflow] [[x] [ ] = : # ; $ ${ ${a} ${b:c} $$ % strategy=static
strategy fee_ppm=5 fee_ppm: chan.id=1x1x1 chan.min_ratio=0.5 node.alias=* use_config config_file=policy.conf , 1
-1 1e9 inf nan chan. .x time.of_day=1-2 flow.7d.min=1 priority=1 final=no compat=strict timezone=Mars \ufeff é"""
words = st.sampled_from(FRAGMENTS.split())
files = st.lists(
    st.lists(words | st.sampled_from([" ", "  ", "\t"]) | st.text(max_size=4), max_size=5).map("".join), max_size=14
).map("\n".join)


@given(files)
@example("[a]\nfee_ppm = ${a:fee_ppm}\nstrategy = static\n")
@example("[a]\r\nstrategy = static\r\n")
@example("[lnflow]\ntimezone = ../../etc/passwd\n")
@example("[lnflow]\ntimezone = a\x00b\n")
def test_no_text_raises(text: str) -> None:
    file = build(text, {"policy.conf": text, "x": text})
    check(file)
    decide(file, channel(), node())


EXTREMES = st.sampled_from(
    ["0", "-1", "1", "0.5", "1e308", "-1e308", "1e-320", str(10**30), str(-(10**30)), str(2**63), "4294967296", "1008"]
)
NUMERIC = sorted(
    key
    for key, reader in (PROPERTIES | SETTING_READERS).items()
    if key not in {"strategy", "config_file", "timezone", "compat", "dialect"} and reader is not values.boolean
)


@given(st.sampled_from(sorted(STRATEGIES)), st.dictionaries(st.sampled_from(NUMERIC), EXTREMES, max_size=6))
def test_no_number_raises(strategy: str, numbers: dict[str, str]) -> None:
    own = "".join(f"{key} = {value}\n" for key, value in numbers.items() if key in PROPERTIES)
    settings = "".join(f"{key} = {value}\n" for key, value in numbers.items() if key in SETTING_READERS)
    price = "" if "fee_ppm" in numbers else "fee_ppm = 100\n"
    file = build(f"[lnflow]\n{settings}[all]\nstrategy = {strategy}\n{price}{own}")
    check(file)
    facts = channel(
        price_levels=(PriceLevel(fee_ppm=9, days=9.0, forwards=3, earned_msat=10**6),),
        days_at_price=9.0,
        cost=ChannelCost(opening_msat=1, rebalance_msat=1, closing_msat=1),
        cheapest_other_ppm=7,
        funding_fee_sat=5,
    )
    pipeline = Pipeline(now_ns=0, lnflow=True, limits=file.settings.limits, rails=file.settings.rails)
    guarded = guard(decide(file, facts, node()), ChannelHistory(), pipeline)
    msgspec.json.encode(guarded.decision.new)


@given(files)
def test_sections_keys_and_values_are_configparsers(text: str) -> None:
    parser = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
    parsed = parse_ini(text, "p")
    try:
        parser.read_string(text)
    except configparser.Error:
        assert parsed.problems
        assert not parsed.sections
        return
    assert [s.name for s in parsed.sections] == parser.sections()
    for section in parsed.sections:
        assert list(section.entries) == parser.options(section.name)


@given(files)
def test_every_key_has_its_line(text: str) -> None:
    lines = text.split("\n")
    for section in parse_ini(text, "p").sections:
        assert section.line is not None
        assert f"[{section.name}]" in lines[section.line - 1]
        for entry in section.entries.values():
            assert entry.line is not None
            assert entry.key in lines[entry.line - 1].lower()


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("[a]\nx = 1\nx = 2\n", 3, "twice"),
        ("[a]\nx = 1\n[a]\n", 3, "twice"),
        ("x = 1\n[a]\n", 1, "before the first section"),
        ("[a]\nx = 1\nnonsense\n", 3, "nonsense"),
    ],
)
def test_syntax_errors_have_a_line(text: str, line: int, part: str) -> None:
    [problem] = parse_ini(text, "p.conf").problems
    assert (problem.file, problem.line) == ("p.conf", line)
    assert part in problem.text
    assert problem.remedy


def test_a_broken_file_decides_nothing() -> None:
    decision = decide(build("[a]\nstrategy = disable\n[a]\n"), channel(), node())
    assert decision.action is Action.NO_POLICY


def test_lines_are_right_after_comments_continuations_and_empty_lines() -> None:
    text = "# top\n\n[a]\n; note\nnode.id = 02aa,\n\n   02bb\n   # inside\nfee_ppm = 1\n[DEFAULT]\nx = 1\n"
    [section] = parse_ini(text, "p").sections
    assert {key: entry.line for key, entry in section.entries.items()} == {"node.id": 5, "fee_ppm": 9, "x": 11}
    assert section.entries["x"].inherited


@pytest.mark.parametrize("text", ["5_000_000", " 7 ", "-3", "5_000_0000"])
def test_whole_numbers_are_pythons(text: str) -> None:
    assert values.integer(text) == int(text)


@given(st.text(max_size=12))
def test_values_are_read_or_refused(text: str) -> None:
    for reader in (
        values.integer,
        values.number,
        values.boolean,
        values.window_s,
        values.time_range,
        values.scids,
        values.days_of_week,
        values.pubkey,
    ):
        with contextlib.suppress(ValueError):
            assert reader(text) is not None


@given(st.integers(0, 1439), st.integers(0, 1439))
def test_times_of_day_come_back(first: int, last: int) -> None:
    def clock(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    assert values.time_range(f"{clock(first)}-{clock(last)}") == (first, last)


def test_loading_reads_lists_and_includes_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ids.txt").write_text("840000x12x1\n")
    (tmp_path / "inner.conf").write_text("[in]\nchan.id = file://ids.txt\nstrategy = static\nfee_ppm = 3\n")
    (tmp_path / "policy.conf").write_text("[out]\nstrategy = use_config\nconfig_file = inner.conf\n")
    monkeypatch.chdir(tmp_path)
    decision = decide(load_policy_file("policy.conf"), channel(), node())
    assert decision.policy == "in (from inner.conf)"


@pytest.mark.parametrize("content", [None, b"\xff\xfe[a]"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "policy.conf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"policy\.conf cannot be read"):
        load_policy_file(str(path))

"""The only place in `pricing` that reads files: the policy file, its list files, its included files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lnflow.domain.errors import ConfigurationError
from lnflow.pricing.dialect.policy_file import PolicyFile, build_policy_file

LARGEST_FILE_BYTES = 16 * 1024 * 1024  # 100,000 ids are 7 MB; more is surely the wrong file


def load_policy_file(path: str, *, strict: bool | None = None) -> PolicyFile:
    """Read and compile a policy file; relative paths in it are relative to the working directory.

    Raise `ConfigurationError` if the file itself cannot be read; what is wrong inside is in `problems`.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigurationError(f"policy file {path} cannot be read: {reason}") from exc
    return build_policy_file(text, path, _once(read_text), strict=strict)


def read_text(path: str) -> str:
    """Return a file's text; `ValueError` if it is too large to be what it should be."""
    file = Path(path)
    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise ValueError(f"larger than {LARGEST_FILE_BYTES // 1024 // 1024} MiB")
    return file.read_text(encoding="utf-8")


def _once(read: Callable[[str], str]) -> Callable[[str], str]:
    """Return a reader that reads each file at most once, so that a run sees one state of it."""
    seen: dict[str, str] = {}

    def cached(path: str) -> str:
        if path not in seen:
            seen[path] = read(path)
        return seen[path]

    return cached

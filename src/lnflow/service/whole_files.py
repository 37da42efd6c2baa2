"""Files of results: whole at the end, or as they were before, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lnflow.domain.errors import ConfigurationError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write; `ConfigurationError` if it cannot be written, and then it is what it was.

    What is no regular file (a pipe, a device) takes the bytes as they come, and so does a file in a folder in which we
    may make no other.
    """
    try:
        target = Path(os.path.realpath(path))
        if path.is_relative_to("/dev") or (path.exists() and not (path.is_file() and _may_write(target.parent))):
            with path.open("wb") as file:
                yield file
            return
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                draft.chmod(target.stat().st_mode)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigurationError(f"cannot write {path}: {exc.strerror or exc}") from exc


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)

"""Build lnd, lncli, btcd and btcctl from the Go module beside this file, once, into a cache.

    python tests/real_lnd/build.py

prints the folder that holds the four binaries.  A cold build takes about four minutes on two cores and
needs Go and the modules that ``go/go.sum`` pins; afterwards the folder is found by the hash of the module
files.  ``LNFLOW_LND_CACHE`` moves the cache.  Only the standard library is used: any Python can run it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODULE = Path(__file__).parent / "go"
PACKAGES = {
    "lnd": "github.com/lightningnetwork/lnd/cmd/lnd",
    "lncli": "github.com/lightningnetwork/lnd/cmd/lncli",
    "btcd": "github.com/btcsuite/btcd",
    "btcctl": "github.com/btcsuite/btcd/cmd/btcctl",
}
# invoicesrpc: hold invoices, which keep HTLCs in flight; the other two as in lnd's own releases
TAGS = "invoicesrpc signrpc walletrpc"
NICENESS = 10


class BuildError(Exception):
    """The binaries cannot be had here; the text says why and what to do."""


def cache_root() -> Path:
    """Return the folder of all builds, which need not exist yet."""
    if chosen := os.environ.get("LNFLOW_LND_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lnflow-real-lnd"


def binaries_dir() -> Path:
    """Return where the build of the present module files belongs, built or not."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    digest.update(TAGS.encode())
    return cache_root() / digest.hexdigest()[:16]


def is_built(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in PACKAGES)


def build() -> Path:
    """Return the folder of the binaries, building them first if they are missing.

    Two builds at once do no harm: each writes a folder of its own, and the first to finish is kept.
    """
    target = binaries_dir()
    if is_built(target):
        return target
    go = shutil.which("go")
    if go is None:
        raise BuildError("Go is not on the PATH: install Go 1.25.10 or newer, then run tests/real_lnd/build.py")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        output = Path(scratch) / "bin"
        output.mkdir()
        _compile(go, output)
        try:
            output.rename(target)
        except OSError:
            if not is_built(target):
                raise
    return target


def _compile(go: str, output: Path) -> None:
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-tags", TAGS]
    try:
        subprocess.run(
            [*command, "-o", f"{output}{os.sep}", *PACKAGES.values()],
            cwd=MODULE,
            env=environment,
            check=True,
            stdout=sys.stderr,
            preexec_fn=lambda: os.nice(NICENESS),
        )
    except subprocess.CalledProcessError as exc:
        raise BuildError(f"go build of lnd failed with exit code {exc.returncode}; its output stands above") from exc


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as problem:
        sys.exit(str(problem))

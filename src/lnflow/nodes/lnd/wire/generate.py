"""Generate `lnd_pb2.py` and `lnd_pb2.pyi` from `lnd.proto` (development only; needs grpcio-tools).

`python src/lnflow/nodes/lnd/wire/generate.py [DIRECTORY]`: without a directory it replaces the committed
files.  Never `_pb2_grpc`: its stubs refuse older grpcio, and generic callables need none.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "lnflow/nodes/lnd/wire"
GENERATED = ("lnd_pb2.py", "lnd_pb2.pyi")


def generate(target: Path) -> None:
    """Write the generated files into `target`."""
    from grpc_tools import protoc  # a development dependency

    with tempfile.TemporaryDirectory() as scratch:
        # protoc names the module after the path it is given, so the path must be the import path
        root = Path(scratch)
        (root / PACKAGE).mkdir(parents=True)
        shutil.copy(HERE / "lnd.proto", root / PACKAGE / "lnd.proto")
        arguments = ["protoc", f"-I{root}", f"--python_out={root}", f"--pyi_out={root}"]
        if protoc.main([*arguments, str(root / PACKAGE / "lnd.proto")]) != 0:
            raise SystemExit("protoc failed")
        for name in GENERATED:
            shutil.copy(root / PACKAGE / name, target / name)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

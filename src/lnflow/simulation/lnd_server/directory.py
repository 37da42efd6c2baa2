"""The files of a node as LND lays them out: `tls.cert` and macaroons per network."""

from __future__ import annotations

from pathlib import Path

from lnflow.simulation.lnd_server.macaroons import ADMIN, FEES, MONITOR, READONLY, Bakery
from lnflow.simulation.tls import Certificate

FEES_ROOT_KEY_ID = 102
MONITOR_ROOT_KEY_ID = 101


class LndDirectory:
    """An LND directory (`lnddir`) on disk."""

    def __init__(self, path: Path, network: str) -> None:
        self.path = path
        self.network = network

    @property
    def tls_cert(self) -> Path:
        return self.path / "tls.cert"

    @property
    def macaroons(self) -> Path:
        return self.path / "data" / "chain" / "bitcoin" / self.network

    def macaroon(self, name: str) -> Path:
        """Return the path of `admin`, `readonly`, `monitor` or `fees`."""
        return self.macaroons / f"{name}.macaroon"

    def write_certificate(self, certificate: Certificate) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        _replace(self.tls_cert, certificate.cert_pem)
        _replace(self.path / "tls.key", certificate.key_pem)

    def write_macaroons(self, bakery: Bakery) -> None:
        self.macaroons.mkdir(parents=True, exist_ok=True)
        _replace(self.macaroon("admin"), bakery.bake(ADMIN))
        _replace(self.macaroon("readonly"), bakery.bake(READONLY))
        _replace(self.macaroon("monitor"), bakery.bake(MONITOR, root_key_id=MONITOR_ROOT_KEY_ID))
        _replace(self.macaroon("fees"), bakery.bake(FEES, root_key_id=FEES_ROOT_KEY_ID))


def _replace(path: Path, content: bytes) -> None:
    """Write a file readable by its owner only; readers see the old or the new one, never a part."""
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)

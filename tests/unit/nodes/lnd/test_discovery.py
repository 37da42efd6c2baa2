"""Which node the options mean, and what is said when they mean none."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnflow.domain.errors import ConfigurationError
from lnflow.nodes.lnd.credentials import LndConnection, host_and_port, load_credentials, parse_lndconnect
from lnflow.nodes.lnd.discovery import LndOptions, discover
from lnflow.simulation.lnd_server.macaroons import ADMIN, MONITOR, Bakery

PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SECRET = Bakery(b"0" * 32).bake(MONITOR)


def lnd_dir(path: Path, *macaroons: str, network: str = "mainnet") -> Path:
    """Make a directory as LND lays it out."""
    folder = path / "data" / "chain" / "bitcoin" / network
    folder.mkdir(parents=True)
    (path / "tls.cert").write_bytes(PEM)
    for name in macaroons:
        (folder / f"{name}.macaroon").write_bytes(SECRET)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


def test_without_options_the_default_directory_is_used(home: Path) -> None:
    lnd_dir(home / ".lnd", "admin", "readonly")
    found = discover(LndOptions())
    assert found.target == "localhost:10009"
    assert found.network == "mainnet"
    assert found.cert_path == home / ".lnd" / "tls.cert"
    assert found.macaroon_path == home / ".lnd/data/chain/bitcoin/mainnet/readonly.macaroon"


def test_a_node_package_keeps_it_elsewhere(home: Path) -> None:
    umbrel = lnd_dir(home / "umbrel/app-data/lightning/data/lnd", "readonly")
    assert discover(LndOptions()).lnd_dir == umbrel


def test_the_least_powerful_macaroon_is_taken(tmp_path: Path) -> None:
    directory = lnd_dir(tmp_path, "admin", "readonly", "monitor", "invoice")
    found = discover(LndOptions(lnd_dir=directory)).macaroon_path
    assert found is not None
    assert found.name == "monitor.macaroon"


def test_the_network_is_that_which_has_macaroons(tmp_path: Path) -> None:
    directory = lnd_dir(tmp_path, "readonly", network="signet")
    (tmp_path / "data/chain/bitcoin/mainnet").mkdir()
    assert discover(LndOptions(lnd_dir=str(directory))).network == "signet"


def test_of_several_networks_the_operator_chooses(tmp_path: Path) -> None:
    directory = lnd_dir(tmp_path, "readonly", network="signet")
    folder = directory / "data/chain/bitcoin/testnet"
    folder.mkdir()
    (folder / "readonly.macaroon").write_bytes(SECRET)
    with pytest.raises(ConfigurationError, match="testnet and signet; choose one with --network"):
        discover(LndOptions(lnd_dir=directory))
    assert discover(LndOptions(lnd_dir=directory, network="testnet")).macaroon_path == folder / "readonly.macaroon"


def test_paths_of_a_remote_node_need_no_directory(home: Path, tmp_path: Path) -> None:
    options = LndOptions(grpc_host="box.lan", macaroon_path="~/m.macaroon", cert_path=tmp_path / "c.pem")
    assert discover(options) == LndConnection(
        target="box.lan:10009", macaroon_path=home / "m.macaroon", cert_path=tmp_path / "c.pem"
    )


def test_the_path_of_a_macaroon_tells_the_network(tmp_path: Path) -> None:
    directory = lnd_dir(tmp_path, "custom", network="regtest")
    path = directory / "data/chain/bitcoin/regtest/custom.macaroon"
    assert discover(LndOptions(lnd_dir=directory, macaroon_path=path)).network == "regtest"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LndOptions(), "no LND found: none of .*/.lnd.*--lnd-dir"),
        (LndOptions(macaroon_path="m"), "--cert-path is missing"),
        (LndOptions(cert_path="c"), "--macaroon-path is missing"),
        (LndOptions(lnd_dir="/nonexistent/lnd"), "/nonexistent/lnd: no such directory"),
        (LndOptions(network="bitcoin"), "must be one of mainnet, testnet"),
        (LndOptions(grpc_host="a:b:c", macaroon_path="m", cert_path="c"), "write HOST:PORT"),
        (LndOptions(lndconnect_file="/nonexistent/uri"), "/nonexistent/uri: no such file"),
    ],
)
def test_what_is_missing_is_said(home: Path, options: LndOptions, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        discover(options)


def test_a_stateless_node_has_no_macaroons(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no macaroon under data/chain/bitcoin"):
        discover(LndOptions(lnd_dir=lnd_dir(tmp_path)))
    with pytest.raises(ConfigurationError, match=r"none of monitor\.macaroon, readonly\.macaroon"):
        discover(LndOptions(lnd_dir=tmp_path, network="mainnet"))


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("localhost", "localhost:10009"),
        ("localhost:1", "localhost:1"),
        ("10.0.0.1:", "10.0.0.1:10009"),
        ("https://box:8080/", "box:8080"),
        ("[::1]", "[::1]:10009"),
        ("[::1]:7", "[::1]:7"),
        ("unix:///run/lnd.sock", "unix:/run/lnd.sock"),
        ("unix:/run/lnd.sock", "unix:/run/lnd.sock"),
    ],
)
def test_hosts_as_people_write_them(host: str, target: str) -> None:
    assert host_and_port(host) == target


def uri(macaroon: bytes = SECRET, cert: bytes | None = b"der", host: str = "box:10010") -> str:
    def text(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    return f"lndconnect://{host}?" + (f"cert={text(cert)}&" if cert else "") + f"macaroon={text(macaroon)}"


@given(macaroon=st.binary(min_size=1, max_size=40), der=st.binary(min_size=1, max_size=40))
def test_lndconnect_carries_both_credentials(macaroon: bytes, der: bytes) -> None:
    parsed = parse_lndconnect(uri(macaroon, der))
    assert parsed.target == "box:10010"
    assert parsed.credentials.macaroon == macaroon
    pem = parsed.credentials.certificate_pem
    assert pem is not None
    if not der.startswith(b"-----BEGIN"):
        assert base64.b64decode(b"".join(pem.splitlines()[1:-1])) == der


@pytest.mark.parametrize(
    ("host", "target"),
    [("box", "box:10009"), ("[::1]:5", "[::1]:5"), ("[::1]", "[::1]:10009"), ("ab.onion:8", "ab.onion:8")],
)
def test_lndconnect_hosts(host: str, target: str) -> None:
    assert parse_lndconnect(uri(host=host)).target == target


def test_lndconnect_without_a_certificate_trusts_public_authorities() -> None:
    assert parse_lndconnect(uri(cert=None)).credentials.certificate_pem is None


@pytest.mark.parametrize(
    "bad",
    [
        "https://box?macaroon=AA",
        "lndconnect://box",
        "lndconnect://?macaroon=AA",
        "lndconnect://box:99999?macaroon=AA",
        "lndconnect://box?macaroon=A",
        "lndconnect://[::1?macaroon=AA",
    ],
)
def test_a_damaged_lndconnect_is_refused_without_being_repeated(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="lndconnect URI") as caught:
        parse_lndconnect(bad + "&secret=6789")
    assert "6789" not in str(caught.value)


def test_no_secret_is_shown() -> None:
    connection = discover(LndOptions(grpc_host=uri()))
    credentials = load_credentials(connection)
    assert credentials.macaroon == SECRET
    for shown in (repr(connection), str(connection), repr(credentials), repr(parse_lndconnect(uri()))):
        assert SECRET.hex() not in shown
        assert "macaroon=" not in shown.replace("macaroon=None", "")
        assert repr(SECRET) not in shown


def test_credentials_are_read_from_their_files_each_time(tmp_path: Path) -> None:
    directory = lnd_dir(tmp_path, "monitor")
    connection = discover(LndOptions(lnd_dir=directory))
    assert load_credentials(connection).macaroon == SECRET
    fresh = Bakery(b"1" * 32).bake(MONITOR)
    assert connection.macaroon_path is not None
    connection.macaroon_path.write_text(fresh.hex() + "\n")  # as bakemacaroon prints it
    credentials = load_credentials(connection)
    assert credentials.macaroon == fresh
    assert credentials.macaroon_metadata == (("macaroon", fresh.hex()),)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tls.cert", b"", "not a PEM certificate"),
        ("tls.cert", None, "no such file; it should be the TLS certificate"),
        ("data/chain/bitcoin/mainnet/monitor.macaroon", b"", "the macaroon file is empty"),
        ("data/chain/bitcoin/mainnet/monitor.macaroon", None, "no such file; it should be the macaroon"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    connection = discover(LndOptions(lnd_dir=lnd_dir(tmp_path, "monitor")))
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        load_credentials(connection)


def test_a_macaroon_that_can_spend_is_refused_with_the_command(tmp_path: Path) -> None:
    directory = lnd_dir(tmp_path / "my lnd", "readonly", network="signet")
    path = directory / "data/chain/bitcoin/signet/readonly.macaroon"
    path.write_bytes(Bakery().bake(ADMIN))
    options = LndOptions(lnd_dir=directory, grpc_host="box:1")
    with pytest.raises(ConfigurationError, match="can spend") as caught:
        load_credentials(discover(options))
    message = str(caught.value)
    assert "offchain:write" in message
    assert f"'--lnddir={directory}'" in message  # quoted: there is a space in it
    assert "--network=signet" in message
    assert "--rpcserver=box:1" in message
    assert f"--save_to={path.parent}/monitor.macaroon" in message
    allowed = LndOptions(lnd_dir=directory, grpc_host="box:1", allow_spending_credential=True)
    assert load_credentials(discover(allowed)).macaroon == path.read_bytes()
    path.write_bytes(b"\x02unreadable")
    with pytest.raises(ConfigurationError, match="cannot be told"):
        load_credentials(discover(options))

"""Where the node is looked for, and what is said when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnflow.domain.errors import ConfigurationError
from lnflow.nodes.cln.discovery import connect, find_socket, find_store, read_rune
from lnflow.nodes.cln.methods import READ_METHODS
from lnflow.nodes.cln.rest import RestRpc
from lnflow.nodes.cln.socket import SocketRpc


def test_the_socket_is_found_in_the_directory_of_its_network(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is lightningd running"):
        find_socket(tmp_path)
    for network in ("regtest", "bitcoin"):
        (tmp_path / network).mkdir()
        (tmp_path / network / "lightning-rpc").touch()
    assert find_socket(tmp_path) == tmp_path / "bitcoin" / "lightning-rpc"
    assert find_socket(tmp_path, "mainnet") == tmp_path / "bitcoin" / "lightning-rpc"
    assert find_socket(tmp_path, "regtest") == find_socket(tmp_path / "regtest")


def test_a_rune_is_kept_to_oneself(tmp_path: Path) -> None:
    rune = tmp_path / "rune"
    rune.write_text("c2VjcmV0\n")
    rune.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600") as caught:
        read_rune(rune)
    assert "c2VjcmV0" not in str(caught.value)
    rune.chmod(0o600)
    assert read_rune(rune) == "c2VjcmV0"
    rune.write_text("two words")
    with pytest.raises(ConfigurationError, match="one rune"):
        read_rune(rune)


def test_socket_or_clnrest(tmp_path: Path) -> None:
    (tmp_path / "lightning-rpc").touch()
    rune = tmp_path / "rune"
    rune.touch(mode=0o600)
    rune.write_text("abc")
    assert isinstance(connect(allowed=READ_METHODS, lightning_dir=tmp_path), SocketRpc)
    assert isinstance(connect(allowed=READ_METHODS, url="https://127.0.0.1:3010", rune_file=rune), RestRpc)
    with pytest.raises(ConfigurationError, match="needs a rune"):
        connect(allowed=READ_METHODS, url="https://127.0.0.1:3010")
    with pytest.raises(ConfigurationError, match="no Core Lightning node"):
        connect(allowed=READ_METHODS)


def test_the_store_is_found_beside_the_socket_or_where_one_is(tmp_path: Path) -> None:
    """A running node decides; without one, a store that is there; else the directory that was given."""
    assert find_store(tmp_path) == tmp_path / "lnflow" / "lnflow.sqlite"
    for network in ("bitcoin", "regtest"):
        (tmp_path / network / "lnflow").mkdir(parents=True)
    (tmp_path / "regtest" / "lnflow" / "lnflow.sqlite").touch()
    assert find_store(tmp_path) == tmp_path / "regtest" / "lnflow" / "lnflow.sqlite"
    (tmp_path / "bitcoin" / "lightning-rpc").touch()
    assert find_store(tmp_path) == tmp_path / "bitcoin" / "lnflow" / "lnflow.sqlite"
    assert find_store(tmp_path, "regtest") == find_store(tmp_path / "regtest")

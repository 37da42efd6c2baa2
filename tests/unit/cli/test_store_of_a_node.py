"""Which store is meant: the option, else the one under `--lightning-dir`, else environment and settings, else the
one under the node's directory, else the default.
"""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from lnflow.cli.options import Reach, Target, resolve_store

OWN = Path("lnflow/lnflow.sqlite")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LNFLOW_DATABASE", "LNFLOW_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "settings.toml"
    path.write_text(f'[nodes.bob]\nlightning_dir = "{tmp_path / "bob"}"\n[nodes.alice]\nlnd_dir = "/lnd"\n')
    return path


def resolve(
    settings: Path | None = None,
    *,
    database: str | None = None,
    node: str | None = None,
    lightning_dir: Path | None = None,
    lnd: Reach | None = None,
) -> Target:
    path = None if settings is None else str(settings)
    return resolve_store(database, node, path, None if lightning_dir is None else str(lightning_dir), lnd)


def test_the_order_of_places(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carol = tmp_path / "carol"
    assert resolve().database == tmp_path / "data" / "lnflow" / "lnflow.sqlite"
    assert resolve(settings).database == tmp_path / "bob" / OWN
    assert resolve(settings, node="alice").database == tmp_path / "data" / "lnflow" / "lnflow.sqlite"
    assert resolve(settings, lightning_dir=carol).database == carol / OWN
    monkeypatch.setenv("LNFLOW_DATABASE", str(tmp_path / "env.sqlite"))
    assert resolve(settings).database == tmp_path / "env.sqlite"
    assert resolve(settings, lightning_dir=carol).database == carol / OWN
    given = resolve(settings, lightning_dir=carol, database="given.sqlite")
    assert (given.database, given.reach.lightning_dir) == (Path("given.sqlite"), str(carol))


def test_the_store_of_a_directory_has_one_node_whatever_the_settings_call_it(settings: Path, tmp_path: Path) -> None:
    for target in (
        resolve(settings),
        resolve(settings, node="bob"),
        resolve(settings, lightning_dir=tmp_path / "bob"),
        resolve(settings, lightning_dir=tmp_path / "carol"),
    ):
        assert (target.node_name, target.stored_name, target.reach.is_cln) == ("default", None, True)
    shared = resolve(settings, lightning_dir=tmp_path / "bob", database="shared.sqlite")
    assert (shared.node_name, shared.stored_name) == ("bob", "bob")
    other = resolve(settings, lightning_dir=tmp_path / "carol", database="shared.sqlite")
    assert (other.node_name, other.stored_name) == ("default", None)


def test_lnds_options_do_not_reach_a_core_lightning_node(settings: Path, tmp_path: Path) -> None:
    lnd = Reach(
        lnd_dir=None,
        grpc_host="localhost:10009",
        macaroon_path=None,
        cert_path=None,
        network=None,
        lndconnect=None,
        allow_spending_credential=False,
    )
    assert not resolve(settings, node="alice", lnd=lnd).reach.is_cln
    with pytest.raises(click.UsageError, match=r"\[nodes.bob\] of the settings is a Core Lightning node"):
        resolve(settings, lnd=lnd)
    with pytest.raises(click.UsageError, match="--lightning-dir is of Core Lightning and --grpc-host of LND"):
        resolve(settings, lightning_dir=tmp_path, lnd=lnd)
    assert resolve(settings, lightning_dir=tmp_path, lnd={**lnd, "grpc_host": None, "network": "regtest"}).reach.is_cln

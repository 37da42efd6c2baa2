from __future__ import annotations

from pathlib import Path

import pytest

from lnflow.config import DEFAULT_NODE, NodeSettings, Settings, database_path, load_settings
from lnflow.domain.errors import ConfigurationError

EXAMPLE = """
database = "~/lnflow/lnflow.sqlite"
[nodes.alice]
lnd_dir = "~/.lnd"
[nodes.bob]
grpc_host = "bob:10009"
[retention]
raw_days = 30
[fees]
act = false
policy = "~/.config/lnflow/policy.conf"
[rebalance]
act = false
daily_budget_sat = 0
[serve]
listen = "127.0.0.1:8339"
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text), env={})
    return str(caught.value)


def test_the_example_of_the_architecture_is_read(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, EXAMPLE), env={})
    assert settings.node(None) == ("alice", NodeSettings(lnd_dir="~/.lnd"))
    assert settings.node("bob")[1].grpc_host == "bob:10009"
    assert settings.retention.raw_days == 30


def test_no_file_means_defaults(tmp_path: Path) -> None:
    settings = load_settings(None, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert settings == Settings()
    assert settings.node(None) == (DEFAULT_NODE, NodeSettings())


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml: No such file"):
        load_settings(None, env={"LNFLOW_SETTINGS": str(tmp_path / "gone.toml")})


def test_the_option_wins_over_the_environment(tmp_path: Path) -> None:
    option = write(tmp_path, "[retention]\nraw_days = 7\n")
    env = {"LNFLOW_SETTINGS": str(tmp_path / "gone.toml")}
    assert load_settings(option, env).retention.raw_days == 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("databse = 'x'", "unknown key 'databse': did you mean 'database'?"),
        ("[nodes.alice]\nmacaron_path = 'x'", "[nodes.alice]: unknown key 'macaron_path'"),
        ("[nodes.alice]\nmacaron_path = 'x'", "did you mean 'macaroon_path'?"),
        ("[fees]\nzzz = 1", "[fees]: unknown key 'zzz' (known: act, policy, macaroon_path, rune_file)"),
        ("[fees]\nact = 1", "Expected `bool`, got `int` - at `$.fees.act`"),
        ("[retention]\nraw_days = 0", "raw_days = 0 must be at least 1"),
        ("[rebalance]\nact = true", "makes none"),
        ("[rebalance]\ndaily_budget_sat = -5", "daily_budget_sat = -5 must not be negative"),
        ("[nodes.a]\nlnd_dir = 'x'\nlightning_dir = 'y'", "a node is one of them"),
        ("a = = 1", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_remedy(tmp_path: Path, text: str, says: str) -> None:
    message = refusal(tmp_path, text)
    assert says in message
    assert "settings.toml" in message


def test_the_database_is_taken_from_option_environment_file_default(tmp_path: Path) -> None:
    settings = Settings(database=str(tmp_path / "file"))
    env = {"LNFLOW_DATABASE": str(tmp_path / "env"), "XDG_DATA_HOME": str(tmp_path)}
    assert database_path(str(tmp_path / "option"), settings, env).name == "option"
    assert database_path(None, settings, env).name == "env"
    assert database_path(None, settings, {}).name == "file"
    assert database_path(None, Settings(), {"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "lnflow/lnflow.sqlite"


def test_an_address_is_not_taken_for_a_file() -> None:
    with pytest.raises(ConfigurationError, match="postgresql address is not supported"):
        database_path("postgresql://localhost/lnflow", None, {})

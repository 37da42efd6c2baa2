"""The example files and the starter file are fit, and the reference page names every key there is."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from tests.unit.pricing.builders import build

from lnflow.pricing.dialect.check import check
from lnflow.pricing.dialect.settings import SETTING_READERS
from lnflow.pricing.dialect.vocabulary import CIRCUITBREAKER_KEYS, PROPERTIES, STRATEGIES
from lnflow.pricing.matching import charge_lnd, own

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "policies").glob("*.conf"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_have_nothing_to_mend(path: Path) -> None:
    assert check(build(path.read_text())) == []


def test_the_starter_file_has_nothing_to_mend() -> None:
    text = (resources.files("lnflow.pricing") / "starter.conf").read_text()
    assert check(build(text)) == []


def test_the_charge_lnd_example_is_one() -> None:
    assert not build((ROOT / "examples" / "policies" / "charge-lnd-style.conf").read_text()).lnflow


def test_the_reference_page_names_every_key_and_strategy() -> None:
    page = (ROOT / "docs" / "reference" / "policy-files.md").read_text()
    page += (ROOT / "docs" / "concepts" / "strategies.md").read_text()
    keys = [key for key in PROPERTIES if key not in CIRCUITBREAKER_KEYS]
    keys += [key for key in SETTING_READERS if not key.startswith("rail_")]
    keys += [
        name for table in (charge_lnd.CHAN_BOUNDS, charge_lnd.FLOW_BOUNDS, charge_lnd.NODE_BOUNDS) for name in table
    ]
    keys += [key.removesuffix(".min").removesuffix(".max") for key in own.SUGGESTIONS if not key.startswith("flow.7d.")]
    missing = [key for key in [*keys, *STRATEGIES] if key.rpartition(".")[2] not in page and key not in page]
    assert missing == []

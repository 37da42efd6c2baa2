"""The reference page names every key there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from lnflow.advice import documents

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "json-output.md"
SHAPES = [
    shape
    for shape in vars(documents).values()
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape.__struct_fields__
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
def test_every_key_is_documented(shape: type[msgspec.Struct]) -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", PAGE.read_text(encoding="utf-8")))
    assert set(shape.__struct_fields__) <= named


def test_every_recommendation_and_note_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    source = (Path(documents.__file__).parent / "notes.py").read_text(encoding="utf-8")
    for name in (*get_args(documents.Action), *re.findall(r'code="([a-z_]+)"', source)):
        assert f"`{name}`" in page

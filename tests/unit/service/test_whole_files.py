"""Result files where a new one cannot take the place of the old."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from tests.unit.store.test_database import unprivileged

from lnflow.service.whole_files import whole_file


def test_what_fails_in_the_middle_leaves_the_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("of last week")

    def write() -> None:
        with whole_file(tmp_path / "out") as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"out": "of last week"}


def test_a_link_stays_one_and_rights_stay_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("of last week")
    (tmp_path / "out").chmod(0o640)
    (tmp_path / "link").symlink_to("out")
    with whole_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "out").read_text() == "new"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_a_link_that_leads_round_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    with whole_file(tmp_path / "out") as file:
        file.write(b"new")
    assert (tmp_path / "out").read_text() == "new"


def test_a_file_that_is_ours_in_a_folder_that_is_not_is_written() -> None:
    """As a web server's page that root made for us: beside it we may make no other."""
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which is closed to other users
        path = Path(folder) / "out.json"
        path.write_text("of last week")
        path.chmod(0o666)
        Path(folder).chmod(0o555)
        with unprivileged(), whole_file(path) as file:
            file.write(b"new")
        assert [p.read_text() for p in Path(folder).iterdir()] == ["new"]
        Path(folder).chmod(0o755)

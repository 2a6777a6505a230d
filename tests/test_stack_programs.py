"""What `make distributed` says where its servers are not installed: it fails, and names the packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stack import programs
from tests.support.stack.programs import ProgramMissing, program


@pytest.fixture(autouse=True)
def debian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any of the programs; the folder where Debian puts PostgreSQL's."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(programs, "_POSTGRESQL", tmp_path / "postgresql")
    return tmp_path / "postgresql"


@pytest.mark.parametrize(
    ("name", "package"), [("postgres", "postgresql"), ("initdb", "postgresql"), ("redis-server", "redis-server")]
)
def test_missing(name: str, package: str) -> None:
    with pytest.raises(ProgramMissing, match=f"{name} is not installed: apt-get install {package} "):
        program(name)


def test_the_newest_that_debian_has(debian: Path) -> None:
    for version in ("9.6", "15", "13"):
        folder = debian / version / "bin"
        folder.mkdir(parents=True)
        (folder / "postgres").touch()
    assert program("postgres") == debian / "15" / "bin" / "postgres"


def test_one_in_the_path_is_taken_first(debian: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = tmp_path / "bin" / "initdb"
    found.parent.mkdir()
    found.touch(mode=0o755)
    assert program("initdb") == found

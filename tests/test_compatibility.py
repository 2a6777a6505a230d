"""docs/compatibility.md has the table of what was run, and runs add to it whatever their end is."""

from __future__ import annotations

import json
import platform
import textwrap
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import compatibility
from tests.compatibility import PAGE, Records, Run, cells, main, updated

PASSED = Run("3.4.0b2", "3.13.0", "core", 1234, 0, 7, "2026-11-29", ok=True)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A page and a record of this test's own: the two paths."""
    page, record = tmp_path / "compatibility.md", tmp_path / "compatibility.json"
    page.write_text(f"before\n{compatibility.START}\n{compatibility.END}after\n")
    monkeypatch.setattr(compatibility, "PAGE", page)
    monkeypatch.setattr(compatibility, "RECORD", record)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # Airflow's and others' take seconds to load
    return page, record


def _tests(folder: Path, source: str) -> list[str]:
    """pytest's arguments for a file with these tests, away from this repository's own settings."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_made_up.py").write_text(textwrap.dedent(source))
    return ["-q", "-p", "no:cacheprovider", "-c", f"{folder}/pytest.ini", f"{folder}/test_made_up.py"]


def test_the_page_is_current() -> None:
    page = PAGE.read_text()
    assert page == updated(page, Records.read()), "write it again: python -m tests.compatibility"


def test_a_cell_says_what_ran_when() -> None:
    assert cells(Records([PASSED]))["3.4", "3.13"] == "core: passed (1,234 tests, 2026-11-29)"


def test_a_failed_run_is_shown_as_failed() -> None:
    failed = PASSED._replace(passed=1230, failed=4, ok=False)
    assert cells(Records([failed]))["3.4", "3.13"] == "core: **failed** (4 of 1,234 tests, 2026-11-29)"
    broken = PASSED._replace(passed=0, ok=False)
    assert cells(Records([broken]))["3.4", "3.13"] == "core: **failed** (pytest ended early, 2026-11-29)"


def test_what_did_not_run_says_why() -> None:
    table = cells(Records([PASSED], {"3.1 on 3.14": "Airflow 3.1 is for older Pythons"}))
    assert table["3.1", "3.14"] == "not tried: Airflow 3.1 is for older Pythons"
    assert table["3.2", "3.13"] == "not tried"


def test_the_last_run_of_the_same_tests_counts() -> None:
    records = Records([PASSED])
    records.add(PASSED._replace(airflow="3.4.0", python="3.13.9", passed=9, date="2026-12-01"))
    records.add(PASSED._replace(tests="all", passed=7000))
    assert cells(records)["3.4", "3.13"] == "all: passed (7,000 tests, 2026-11-29); core: passed (9 tests, 2026-12-01)"


def test_a_run_adds_its_cell(files: tuple[Path, Path], tmp_path: Path) -> None:
    arguments = _tests(
        tmp_path,
        """
        import pytest
        def test_one(): pass
        def test_two(): pass
        def test_three(): pytest.skip("why")
        """,
    )
    assert main(["core", *arguments, "-k", "one", "--", *arguments]) == 0
    page, record = files
    [run] = json.loads(record.read_text())["runs"]
    assert (run["airflow"], run["python"]) == (version("apache-airflow"), platform.python_version())
    assert (run["passed"], run["failed"], run["skipped"], run["ok"]) == (3, 0, 1, True)
    assert "core: passed (3 tests, " in page.read_text()
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("after\n")


def test_a_failed_run_is_recorded_and_fails(files: tuple[Path, Path], tmp_path: Path) -> None:
    arguments = _tests(tmp_path, "def test_one(): pass\ndef test_two(): assert not 'this'\n")
    assert main(["core", *arguments, "--", "--version"]) == 1
    assert "core: **failed** (1 of 2 tests, " in files[0].read_text()


def test_pytest_that_does_not_start_is_a_failed_run(files: tuple[Path, Path]) -> None:
    assert main(["core", "--no-such-option"]) == 4
    assert "core: **failed** (pytest ended early, " in files[0].read_text()


def test_a_selection_of_the_tests_is_not_recorded(files: tuple[Path, Path], tmp_path: Path) -> None:
    arguments = _tests(tmp_path, "def test_one(): pass\n")
    assert main(["", *arguments]) == 0
    assert not files[1].exists()

"""`make lint` refuses a licence that the package could not bring along, and an environment that is not the lock's."""

from __future__ import annotations

import tomllib
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import licences


def stated(folder: Path, *lines: str) -> str:
    (folder / "it.dist-info").mkdir()
    (folder / "it.dist-info" / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: it", *lines, "", ""]))
    return licences.licence(Distribution.at(folder / "it.dist-info").metadata)


@pytest.mark.parametrize(
    ("lines", "expression"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: whatever"], "MIT OR Apache-2.0"),
        (["Classifier: License :: OSI Approved :: Apache Software License"], "Apache-2.0"),
        (["Classifier: License :: OSI Approved", "License: BSD"], "BSD-3-Clause"),
        (["License: My own terms"], "My own terms"),
        ([], ""),
    ],
)
def test_a_licence_is_what_the_metadata_says(tmp_path: Path, lines: list[str], expression: str) -> None:
    assert stated(tmp_path, *lines) == expression


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND Apache-2.0 WITH LLVM-exception", True),
        ("(MIT AND BSD-3-Clause) OR GPL-2.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("", False),
    ],
)
def test_one_alternative_of_allowed_licences_is_enough(expression: str, is_allowed: bool) -> None:
    assert licences.allows(expression, licences.PERMISSIVE) is is_allowed


def test_tools_may_be_under_a_weak_copyleft() -> None:
    assert licences.allows("LGPL-3.0-only", licences.WEAK)
    assert not licences.allows("GPL-3.0-only", licences.WEAK)


def test_what_users_get_is_locked_with_all_extras() -> None:
    project = tomllib.loads((licences.LOCKS.parent / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    names = {canonicalize_name(Requirement(text).name) for text in asked}
    assert names - {licences.OURS} <= licences.pins("extras").keys()
    assert (
        "google-cloud-storage-transfer" in licences.noted()
    )  # of the Google provider's, which no test environment has


def test_the_lock_is_read() -> None:
    assert licences.pins("dev").keys() >= {"apache-airflow", "ruff", "aiobotocore"}
    assert licences.pins("dev")["httpx"].startswith("0.")


REPORT: Any = {
    "install": [
        {"metadata": {"name": "Some_Tool", "version": "1.2", "license_expression": "GPL-3.0-only"}},
        {"metadata": {"name": "old", "version": "3", "classifier": ["License :: OSI Approved :: MIT License", "X"]}},
        {"metadata": {"name": "silent", "version": "4"}},
    ]
}


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(licences, "NOTED", tmp_path / "extras-licences.txt")
    return licences.NOTED


def test_licences_of_what_is_not_installed_are_noted_from_pips_report(notes: Path) -> None:
    notes.write_text(licences.note(REPORT))
    assert licences.noted() == {"some-tool": ("1.2", "GPL-3.0-only"), "old": ("3", "MIT"), "silent": ("4", "")}


def test_what_is_noted_is_judged_as_what_is_installed(notes: Path) -> None:
    whole = (licences.LOCKS / notes.name).read_text()
    notes.write_text(licences.note(REPORT) + whole)
    refused = [line.partition(" (")[0] for line in licences.problems()]
    assert refused == ["silent is under 'no stated licence'", "some-tool is under 'GPL-3.0-only'"]


def test_what_users_get_without_a_note_is_told(notes: Path) -> None:
    whole = (licences.LOCKS / notes.name).read_text()
    notes.write_text("".join(line for line in whole.splitlines(keepends=True) if not line.startswith("google-ads ")))
    [problem] = licences.problems()
    assert problem.startswith("google-ads ")
    assert problem.endswith("is in requirements/extras.txt, and not in extras-licences.txt: run make lock")

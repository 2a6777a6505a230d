"""`make lint` refuses a licence that the package could not bring along, and an environment that is not the lock's."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from scripts import licences


def stated(folder: Path, *lines: str) -> str:
    (folder / "it.dist-info").mkdir()
    (folder / "it.dist-info" / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: it", *lines, "", ""]))
    return licences.licence(Distribution.at(folder / "it.dist-info"))


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


def test_what_users_get_is_followed_through_all_extras() -> None:
    installed = {
        name: Distribution.from_name(name) for name in ("apache-airflow", "httpx", "s3fs", "starlette", "pytest")
    }
    installed["apache-airflow-providers-amazon"] = Distribution.from_name("apache-airflow-providers-amazon")
    assert licences.brought(installed) == installed.keys() - {"pytest"}


def test_the_lock_is_read() -> None:
    assert licences.pins().keys() >= {"apache-airflow", "ruff", "aiobotocore"}
    assert licences.pins()["httpx"].startswith("0.")

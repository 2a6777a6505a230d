"""The wheel says what it brings along, and anybody who builds it again gets the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from airflow_provider_batchdl import __version__
from tests.test_packaging import EXTRAS, INFO, PROJECT, ROOT, canonical

COMMIT_SECONDS = 1_790_000_000
SBOM = f"{INFO}/sboms/airflow-provider-batchdl.cdx.json"


def checkout(folder: Path, *, mode: int, seconds: int) -> Path:
    """What git tracks, as another person's umask and clock leave it."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, path)
            path.chmod(mode)
            os.utime(path, (seconds, seconds))
    return folder


def build(sources: Path, kind: str, **environment: str) -> Path:
    """One built file, by the backend, as `pip` and `build` have it do."""
    target = sources / "dist" / kind
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    without = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, cwd=sources, check=True, capture_output=True, timeout=120, env=without | environment)
    [built] = target.iterdir()
    return built


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("first") / "here", mode=0o600, seconds=1_600_000_000)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("second") / "there", mode=0o664, seconds=1_700_000_000)


@pytest.fixture(scope="module")
def sbom(first: Path) -> dict[str, Any]:
    wheel = build(first, "wheel", SOURCE_DATE_EPOCH=str(COMMIT_SECONDS))
    document: dict[str, Any] = json.loads(zipfile.ZipFile(wheel).read(SBOM))
    return document


@pytest.mark.parametrize(
    ("kind", "epoch"), [("wheel", {"SOURCE_DATE_EPOCH": str(COMMIT_SECONDS)}), ("sdist", {})], ids=["wheel", "sdist"]
)
def test_two_checkouts_build_the_same_bytes(first: Path, second: Path, kind: str, epoch: dict[str, str]) -> None:
    there = build(second, kind, TZ="Asia/Kathmandu", PYTHONHASHSEED="1", LC_ALL="C", **epoch)
    here = build(first, kind, TZ="UTC", PYTHONHASHSEED="2", **epoch)
    assert here.name == there.name
    assert digest(here) == digest(there)


def test_the_source_package_builds_the_same_wheel(first: Path, second: Path, tmp_path: Path) -> None:
    with tarfile.open(build(second, "sdist")) as sources:
        sources.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.iterdir()
    assert digest(build(unpacked, "wheel")) == digest(build(first, "wheel"))


def test_the_sbom_is_valid_and_names_this_package(sbom: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(sbom)) is None
    package = sbom["metadata"]["component"]
    assert package["purl"] == f"pkg:pypi/{PROJECT['name']}@{__version__}"
    assert [each["expression"] for each in package["licenses"]] == [PROJECT["license"]]
    assert datetime.fromisoformat(sbom["metadata"]["timestamp"]).timestamp() == COMMIT_SECONDS


def test_the_sbom_lists_each_direct_dependency_with_its_range(sbom: dict[str, Any]) -> None:
    def listed(extra: str | None) -> set[Requirement]:
        found = set()
        for component in sbom["components"]:
            said = {each["name"].partition(":")[2]: each["value"] for each in component["properties"]}
            if said.get("extra") == extra:
                assert component["scope"] == ("optional" if extra else "required")
                assert component["purl"] == f"pkg:pypi/{canonical(said['requires'])}"
                found.add(Requirement(said["requires"]))
        return found

    assert listed(None) == {Requirement(text) for text in PROJECT["dependencies"]}
    extras = {extra: {Requirement(text) for text in asked} for extra, asked in EXTRAS.items() if extra != "all"}
    assert {extra: listed(extra) for extra in extras} == extras
    assert listed("all") == set().union(*extras.values())

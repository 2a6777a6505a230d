"""What a user installs, what Airflow reads of it, and what `make env` installs here."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from airflow_provider_batchdl import __version__
from airflow_provider_batchdl.provider_info import get_provider_info

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INFO = f"airflow_provider_batchdl-{__version__}.dist-info"
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def canonical(requirement: str) -> str:
    """The normalized name of the package that a requirement asks for."""
    name = NAME.match(requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pinned(name: str = "dev.txt") -> dict[str, str]:
    """Each requirement of a compiled file with its hashes, by package."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "requirements" / name).read_text(), flags=re.MULTILINE)
    entries = re.split(r"(?<!\\)\n(?=\S)", text.strip())
    return {canonical(entry): entry for entry in entries}


def test_provider_info_is_what_airflow_reads() -> None:
    airflow = importlib.util.find_spec("airflow")
    assert airflow
    assert airflow.origin
    schema = json.loads((Path(airflow.origin).parent / "provider_info.schema.json").read_text())
    info = get_provider_info()
    jsonschema.validate(info, schema)
    assert info["package-name"] == PROJECT["name"]
    assert info["versions"][0] == __version__


def test_provider_info_names_only_what_exists() -> None:
    info = get_provider_info()
    modules = [
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for integration in info.get(kind, [])
        for module in integration["python-modules"]
    ]
    assert modules
    for module in modules:
        importlib.import_module(module)
    names = [connection["hook-class-name"] for connection in info["connection-types"]] + info.get("extra-links", [])
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def test_connection_types_are_the_four_vendors_and_that_of_documents() -> None:
    types = {connection["connection-type"] for connection in get_provider_info()["connection-types"]}
    assert types == {"revenuebase", "proofy", "batchcom", "apartmentiq", "batchapi"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [path] = folder.iterdir()
    return zipfile.ZipFile(path)


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {"airflow_provider_batchdl", INFO}
    assert "airflow_provider_batchdl/py.typed" in names
    assert f"{INFO}/licenses/LICENSE" in names
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "airflow_provider_batchdl").rglob("*.py")}
    assert there == {name for name in names if name.endswith(".py")}


def test_entry_points_resolve(wheel: zipfile.ZipFile) -> None:
    groups = ConfigParser(delimiters="=")
    groups.read_string(wheel.read(f"{INFO}/entry_points.txt").decode())
    assert set(groups.sections()) == {"apache_airflow_provider", "airflow.plugins", "console_scripts"}
    for group in groups.sections():
        for name, value in groups[group].items():
            assert EntryPoint(name, value, group).load() is not None


def test_pytest_loads_nothing_of_it_unasked(wheel: zipfile.ZipFile) -> None:
    """A plugin by entry point has pytest rewrite the whole package's assertions, in every run of every user."""
    assert "pytest11" not in wheel.read(f"{INFO}/entry_points.txt").decode()


def test_what_the_package_asks_for_is_what_we_test_with(wheel: zipfile.ZipFile) -> None:
    """Google's and Microsoft's providers, a gigabyte, are installed by `make compat-min` only."""
    metadata = wheel.read(f"{INFO}/METADATA").decode()
    required = {canonical(name) for name in re.findall(r"^Requires-Dist: (.*)$", metadata, flags=re.MULTILINE)}
    assert required - {PROJECT["name"]} <= pinned("compat-min.txt").keys()
    assert required - {PROJECT["name"]} - pinned().keys() == {
        "apache-airflow-providers-google",
        "apache-airflow-providers-microsoft-azure",
    }


EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
RANGES = [
    Requirement(text)
    for extra, texts in {"": PROJECT["dependencies"], **EXTRAS}.items()
    for text in texts
    if extra != "all"
]


@pytest.mark.parametrize("wanted", RANGES, ids=str)
def test_a_lower_bound_is_what_the_tests_run_on(wanted: Requirement) -> None:
    """`make compat-min` runs on the lowest that the resolver finds: a bound below that would be a guess."""
    [lowest] = [Version(each.version) for each in wanted.specifier if each.operator == ">="]
    text = (ROOT / "requirements" / "compat-min.txt").read_text()
    tested = re.findall(rf"^{canonical(wanted.name)}==([^ ]+)", text, re.MULTILINE)  # one for each range of Pythons
    assert min(map(Version, tested)).release[: len(lowest.release)] == lowest.release


def test_older_installers_find_what_belongs_together_for_s3() -> None:
    """pip 23.2 tries every release of boto3 against aiobotocore's botocore, unless that names the one for it."""
    extra = [Requirement(text) for text in PROJECT["optional-dependencies"]["s3"]]
    assert {each.name: each.extras for each in extra} == {
        "aiobotocore": {"boto3"},
        "apache-airflow-providers-amazon": {"s3fs"},
    }


@pytest.mark.parametrize(
    ("extra", "provider", "library"),
    [
        ("gcs", "apache-airflow-providers-google", "gcsfs"),
        ("azure", "apache-airflow-providers-microsoft-azure", "adlfs"),
    ],
)
def test_a_store_brings_airflow_s_provider_and_its_file_system(extra: str, provider: str, library: str) -> None:
    assert {Requirement(text).name for text in EXTRAS[extra]} == {provider, library}


def test_all_is_every_other_extra() -> None:
    [others] = [Requirement(text) for text in EXTRAS["all"]]
    assert others.name == PROJECT["name"]
    assert others.extras == EXTRAS.keys() - {"all"}


@pytest.mark.parametrize(
    ("name", "least"),
    [("dev.txt", 100), ("compat-min.txt", 100), ("extras.txt", 100), ("docs.txt", 20), ("audit.txt", 20)],
)
def test_every_requirement_is_pinned_and_hashed(name: str, least: int) -> None:
    requirements = pinned(name)
    assert len(requirements) > least
    for entry in requirements.values():
        assert re.match(
            r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[^ ]+ (; .* )?\\\n( +--hash=sha256:[0-9a-f]{64}( \\\n)?)+$", entry
        ), entry


def test_requirements_hold_all_that_was_asked_for() -> None:
    asked = [line for line in (ROOT / "requirements" / "dev.in").read_text().splitlines() if line and line[0] != "#"]
    assert {canonical(line) for line in asked} <= pinned().keys()


@pytest.mark.parametrize("name", ["dev.in", "dev.txt", "compat-min.in", "compat-min.txt", "docs.in", "docs.txt"])
def test_requirements_name_no_place_to_fetch_from(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash", "hash"), flags=re.MULTILINE)

"""`pip install airflow-provider-batchdl[…]` by the oldest pip that Python 3.11 came with comes to an end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.test_packaging import PROJECT, ROOT, canonical, pinned

OLDEST_PIP = "22.3"  # ensurepip of Python 3.11.0
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Of one package, before pip knows which fits: Airflow alone makes it try some twenty of fastapi.
MOST_TRIED = 60
RESOLVE_SECONDS = 1500  # of a busy machine; an idle one takes one or two minutes

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(RESOLVE_SECONDS + 100),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason=f"pip {OLDEST_PIP} does not run on a newer Python"),
]


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oldest")
    venv.create(folder, with_pip=True)
    program = folder / "bin" / "pip"
    got = subprocess.run(
        [program, "install", "-q", f"pip=={OLDEST_PIP}"], capture_output=True, text=True, timeout=120, check=False
    )
    if got.returncode:
        pytest.skip(f"no package index that pip could ask: {got.stderr[-200:]}")
    return program


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [path] = folder.iterdir()
    return path


def constraints(requirements: str) -> str:
    """A constraints file as Airflow publishes one for each of its versions, of what we test with."""
    pin_of = re.compile(r"([a-z0-9-]+)(?:\[[^]]*\])?==([^ ]+)( ; [^\\]*)?")
    pins = map(pin_of.match, pinned(requirements).values())
    return "".join(f"{pin[1]}=={pin[2]}{(pin[3] or '').rstrip()}\n" for pin in pins if pin)


@pytest.mark.parametrize("constrained", [None, "dev.txt"], ids=["unconstrained", "constrained"])
@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_oldest_pip_finds_what_fits(
    pip: Path, wheel: Path, tmp_path: Path, extra: str, constrained: str | None
) -> None:
    command: list[str | Path] = [
        pip,
        "install",
        "--dry-run",
        "--ignore-installed",
        "--report",
        tmp_path / "report.json",
    ]
    if constrained is not None:
        (tmp_path / "constraints.txt").write_text(constraints(constrained))
        command += ["--constraint", tmp_path / "constraints.txt"]
    command.append(f"{PROJECT['name']}[{extra}] @ {wheel.as_uri()}")
    resolved = subprocess.run(
        command, capture_output=True, text=True, timeout=RESOLVE_SECONDS, check=False, cwd=tmp_path
    )
    assert resolved.returncode == 0, resolved.stdout[-2000:] + resolved.stderr[-2000:]
    report = json.loads((tmp_path / "report.json").read_text())
    chosen = {canonical(each["metadata"]["name"]) for each in report["install"]}
    asked = {canonical(Requirement(text).name) for text in [*PROJECT["dependencies"], *EXTRAS[extra]]}
    assert asked | {PROJECT["name"]} <= chosen
    tried = versions_tried(resolved.stdout)
    assert {name: found for name, found in tried.items() if len(found) > (1 if constrained else MOST_TRIED)} == {}


def versions_tried(output: str) -> dict[str, set[str]]:
    """What pip 22 fetched to read what it asks for, by package."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, version in re.findall(r"^  (?:Using cached|Downloading) ([\w.]+)-(\d[^-\s]*)", output, re.MULTILINE):
        found[canonical(name)].add(version)
    assert len(found) > 50  # or its words have changed
    return found

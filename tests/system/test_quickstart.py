"""docs/quickstart.md, run as it is written by a shell with an empty home; only the installation is left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.airflow_features import needs_provider_commands

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
pytestmark = [pytest.mark.timeout(1000), needs_provider_commands]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """The commands that a reader types, those with several lines as one."""
    typed = "".join(blocks("console", text))
    return [each.replace("\n$ ", "\n").strip() for each in re.findall(r"^\$ (.*(?:\n(?!\$ ).*)*)", typed, re.MULTILINE)]


def test_a_reader_lands_a_file_by_the_quickstart_alone(tmp_path: Path) -> None:
    before, _, after = PAGE.read_text().partition("## 5.")
    typed = [each for each in commands(before) if "pip install" not in each and "-m venv" not in each]
    assert typed[0].startswith("mkdir")
    [dag] = blocks("python", before)
    (tmp_path / "first-landing" / "dags").mkdir(parents=True)
    (tmp_path / "first-landing" / "dags" / "first_landing.py").write_text(dag)
    own = "\n".join(each for each in commands(after) if "batchdl check" not in each)
    script = "\n".join(["set -eu", "trap 'kill %1' EXIT", *typed, "REVENUEBASE_API_KEY=rb_key", own])
    script = script.replace("--port 8099", "--port 0")  # the tests of this machine run beside each other
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    landed = (tmp_path / "first-landing" / "landed" / "verified.csv").read_text()
    assert [line.split(",")[0] for line in landed.splitlines()] == ["email", "ada@example.com", "grace@example.org"]
    assert landed in run.stdout

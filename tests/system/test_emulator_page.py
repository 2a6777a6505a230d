"""docs/emulator.md, as a reader follows it: a test of an own DAG, run by its commands in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.test_quickstart import blocks, commands

PAGE = Path(__file__).parents[2] / "docs" / "emulator.md"
pytestmark = pytest.mark.timeout(1000)
DAG = """
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_batchdl.operators.run import BatchJobOperator

with DAG("my_dag", schedule=None) as dag:
    BatchJobOperator(
        task_id="export",
        conn_id="batchcom_default",
        request={"export_type": "ATTRIBUTES", "attributes": ["$email_address"], "identifiers": ["custom_id"]},
        destination=f"{Path(__file__).parents[1]}/landed/",
        retries=3,
    )
"""
LANDED = """[hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path("landed").glob("*-part-*"))]"""


def test_a_reader_tests_their_own_dag(tmp_path: Path) -> None:
    text = PAGE.read_text()
    [conftest, *_], [_, test, *_] = blocks("python", text), blocks("python", text)
    assert "conftest.py" in conftest
    assert test.count("[...]  # what your DAG landed") == 1
    test = "import hashlib\nfrom pathlib import Path\n" + test.replace("[...]", LANDED)
    (tmp_path / "dags").mkdir()
    for name, content in {"conftest.py": conftest, "test_my_dag.py": test, "dags/my_dag.py": DAG}.items():
        (tmp_path / name).write_text(content)
    typed = commands(text)
    assert re.match(r"python -m pytest\b", typed[-1])
    run = subprocess.run(
        ["bash", "-c", "\n".join(["set -eu", *typed])],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    assert "1 passed" in run.stdout

"""`.ci/run` says whether everything held: its exit code is what a landing is judged by."""

import subprocess
from pathlib import Path

import pytest

CI_RUN = Path(__file__).parents[1] / ".ci" / "run"


def _run(folder: Path, fails: str = "") -> subprocess.CompletedProcess[str]:
    """`.ci/run` where `make TARGET` prints its target, and fails for the target `fails`."""
    for name in ("redis-server", "postgres"):
        (folder / name).write_text("#!/bin/sh\n")
    (folder / "make").write_text(f'#!/bin/sh\necho "$1 ran"\n[ "$1" != "{fails}" ]\n')
    for program in folder.iterdir():
        program.chmod(0o755)
    return subprocess.run(
        ["bash", CI_RUN],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ends_well_when_everything_holds(tmp_path: Path) -> None:
    ended = _run(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split("\n") == ["test ran", "distributed ran", "compat-core ran", ""]


@pytest.mark.parametrize("target", ["test", "distributed", "compat-core"])
def test_fails_when_a_part_fails(tmp_path: Path, target: str) -> None:
    ended = _run(tmp_path, fails=target)
    assert ended.returncode != 0
    assert f"{target} ran" in ended.stdout

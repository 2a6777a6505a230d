"""`make env`: when it builds, when it does not, and that two of them take turns."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

PYPROJECT = "[build-system]\n[project]\nname = 'x'\n[tool.hatch]\n[tool.ruff]\nline-length = 120\n"
SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "env.py"


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, over a checkout of its own whose environment `build` only pretends to build."""
    spec = importlib.util.spec_from_file_location("env_script", SCRIPT)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    root = tmp_path / "a checkout"
    (root / "requirements").mkdir(parents=True)
    for name in ("requirements/dev.txt", "init.py"):
        (root / name).write_text(name)
    (root / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.setattr(script, "ROOT", root)
    monkeypatch.setattr(script, "VENV", root / ".venv")
    monkeypatch.setattr(script, "STAMP", root / ".venv" / "stamp.json")
    monkeypatch.setattr(script, "PYTHON", root / ".venv" / "bin" / "python")
    monkeypatch.setattr(script, "REQUIREMENTS", root / "requirements" / "dev.txt")
    monkeypatch.setattr(script, "PYPROJECT", root / "pyproject.toml")
    monkeypatch.setattr(script, "VERSION", root / "init.py")
    monkeypatch.setattr(script.signal, "signal", lambda *_: None)  # pytest's own handlers stay
    return script


@pytest.fixture
def installs(env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pip was asked to install, by its last argument."""
    asked: list[str] = []

    def create(folder: Path, **_: object) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()
        asked.append("venv")

    monkeypatch.setattr(env.venv, "create", create)
    monkeypatch.setattr(env, "pip", lambda *arguments, lock: asked.append(Path(arguments[-1]).name or "."))
    return asked


def test_builds_once(env: ModuleType, installs: list[str]) -> None:
    env.main()
    assert installs == ["venv", "pip.txt", "dev.txt", "."]
    env.main()
    assert len(installs) == 4


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("requirements/dev.txt", "changed", ["dev.txt", "."]),
        ("init.py", "changed", ["."]),
        ("pyproject.toml", PYPROJECT.replace("'x'", "'y'"), ["."]),
        ("pyproject.toml", PYPROJECT.replace("120", "100"), []),
    ],
)
def test_installs_what_changed(
    env: ModuleType, installs: list[str], file: str, content: str, expected: list[str]
) -> None:
    env.main()
    (env.ROOT / file).write_text(content)
    env.main()
    assert installs[4:] == expected


def break_off(env: ModuleType) -> None:
    env.STAMP.unlink()


def move(env: ModuleType) -> None:
    env.STAMP.write_text(json.dumps(env.wanted() | {"root": "/elsewhere"}))


def uninstall_python(env: ModuleType) -> None:
    env.PYTHON.unlink()


def garble(env: ModuleType) -> None:
    env.STAMP.write_text("{")


@pytest.mark.parametrize("damage", [break_off, move, uninstall_python, garble])
def test_begins_again_where_nothing_is_sure(
    env: ModuleType, installs: list[str], damage: Callable[[ModuleType], None]
) -> None:
    env.main()
    damage(env)
    (env.VENV / "leftover").touch()
    env.main()
    assert installs[4:] == ["venv", "pip.txt", "dev.txt", "."]
    assert not (env.VENV / "leftover").exists()


@pytest.mark.parametrize(
    ("step", "repair"),
    [("dev.txt", ["venv", "pip.txt", "dev.txt", "."]), (".", ["."])],
    ids=["third parties", "project"],
)
def test_interrupted_build_is_taken_up_where_it_is_sure(
    env: ModuleType, installs: list[str], monkeypatch: pytest.MonkeyPatch, step: str, repair: list[str]
) -> None:
    env.main()
    (env.ROOT / "requirements" / "dev.txt").write_text("changed")

    def interrupted(*arguments: str, lock: int) -> None:
        if arguments[-1].endswith(step):
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(env, "pip", interrupted)
        with pytest.raises(KeyboardInterrupt):
            env.main()
    del installs[:]
    env.main()
    assert installs == repair


def test_second_one_waits_and_finds_it_built(
    env: ModuleType, installs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with (env.ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=env.main)
        second.start()
        said = ""
        while "waiting" not in said:
            assert second.is_alive()
            time.sleep(0.01)
            said += capsys.readouterr().out
        second.join(0.1)
        assert second.is_alive()
        env.build({}, env.wanted(), lock.fileno())
    second.join()
    assert installs == ["venv", "pip.txt", "dev.txt", "."]


def test_a_python_too_old_is_refused_in_words(tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    run = subprocess.run(
        ["make", "--no-print-directory", "env", f"PYTHONS={fake}"],
        cwd=SCRIPT.parent.parent,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert "no Python 3.11 to 3.14" in run.stderr
    assert sys.executable not in run.stdout

"""Builds `.venv/` from requirements/dev.txt, or finds it built and does nothing.

`make env` runs it with whatever Python the machine has, so it uses the standard library alone. Three things can go
wrong with a shared environment, and each has its line here: two builds at once (a file lock, which pip inherits, so
that it outlives a killed parent), a build that was cut short (what is stamped is done; the stamp is taken away before
anything is touched, and without one we restart from nothing) and a checkout that was moved or copied (a venv holds
absolute paths, so the stamp does too).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "stamp.json"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements" / "dev.txt"
PIP = ROOT / "requirements" / "pip.txt"
PYPROJECT = ROOT / "pyproject.toml"
VERSION = ROOT / "airflow_provider_batchdl" / "__init__.py"

# Wheels only: a source package would run its build with tools that nobody pinned.
LOCKED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")


def digest(*contents: bytes) -> str:
    """One hash over all of them."""
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def metadata() -> bytes:
    """What an editable install copies out of pyproject.toml; the rest of it, and the code, is only pointed at."""
    pyproject = tomllib.loads(PYPROJECT.read_text())
    return json.dumps([pyproject["build-system"], pyproject["project"], pyproject["tool"]["hatch"]]).encode()


def wanted() -> dict[str, str]:
    """The stamp of an environment that is up to date."""
    return {
        "root": str(ROOT),
        "requirements": digest(REQUIREMENTS.read_bytes()),
        "project": digest(metadata(), VERSION.read_bytes()),
    }


def built() -> dict[str, str]:
    """The stamp of the environment that is there; empty for none, half of one, or one of another folder."""
    try:
        stamp = dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}
    # PYTHON links to the interpreter that built it, which may have been uninstalled since.
    return stamp if stamp.get("root") == str(ROOT) and PYTHON.exists() else {}


def pip(*arguments: str, lock: int) -> None:
    """Run the environment's pip, or stop with its exit code."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq", *arguments]
    code = subprocess.run(command, pass_fds=(lock,), check=False, cwd=ROOT).returncode
    if code:
        print("make env: pip failed (its own words are above)", file=sys.stderr)
        sys.exit(code)


def stamp(parts: dict[str, str]) -> None:
    """Say what is done, whole or not at all."""
    partial = STAMP.with_suffix(".tmp")
    partial.write_text(json.dumps(parts))
    partial.replace(STAMP)


def build(have: dict[str, str], want: dict[str, str], lock: int) -> None:
    """Bring the environment from `have` to `want`; from nothing where there is no trusting what is there."""
    third_parties = {key: want[key] for key in ("root", "requirements")}
    if have.get("requirements") != want["requirements"]:
        STAMP.unlink(missing_ok=True)
        if not have:
            print("make env: building .venv/ (a minute or two, once)", flush=True)
            shutil.rmtree(VENV, ignore_errors=True)
            venv.create(VENV, with_pip=True)
            # The one that Python brings may be years old, and take three times the newest one's time.
            pip(*LOCKED, "-r", str(PIP), lock=lock)
        pip(*LOCKED, "-r", str(REQUIREMENTS), lock=lock)
    stamp(third_parties)
    pip("--no-deps", "--no-build-isolation", "--editable", ".", lock=lock)
    stamp(want)


def main() -> None:
    """Build under the lock, unless there is nothing to build."""
    if built() == wanted():
        return
    # So that `subprocess.run` ends pip too, instead of leaving it writing into the environment.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with (ROOT / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make env: another run is building .venv/; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        have, want = built(), wanted()
        if have != want:
            started = time.monotonic()
            build(have, want, lock.fileno())
            print(f"make env: .venv/ is ready ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()

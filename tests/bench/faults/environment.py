"""`.venv-faults/`: the peers' packages, apart from our own environment, built from requirements/faults.txt."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv-faults"
PEER_PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements" / "faults.txt"
STAMP = VENV / "stamp"

_VERSIONS = """
import importlib.metadata as m, json, platform
have = {d.name.lower().replace("_", "-"): d.version for d in m.distributions()}
print(json.dumps({**have, "python": platform.python_version()}))
"""


def build() -> None:
    """Build the environment, unless it is there as the requirements have it."""
    wanted = f"{ROOT} {hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()}"
    if STAMP.exists() and STAMP.read_text() == wanted and PEER_PYTHON.exists():
        return
    sys.stdout.write("building .venv-faults/ (half a minute, once)\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    (VENV / ".gitignore").write_text("*\n")
    pip = [str(PEER_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq"]
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
    subprocess.run([*pip, *options], check=True, cwd=ROOT)
    STAMP.write_text(wanted)


def peer_versions() -> dict[str, str]:
    """Installed versions by package name; empty where the environment is not built."""
    if not PEER_PYTHON.exists():
        return {}
    told = subprocess.run([str(PEER_PYTHON), "-c", _VERSIONS], capture_output=True, text=True, check=True).stdout
    return dict(json.loads(told))


def child_environment() -> dict[str, str]:
    """Our own environment without proxies: everything here is on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

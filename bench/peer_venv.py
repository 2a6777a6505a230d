"""An environment of the peers' packages, apart from our own: `.venv-NAME/`, built from requirements/NAME.txt."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_VERSIONS = """
import importlib.metadata as m, json, platform
have = {d.name.lower().replace("_", "-"): d.version for d in m.distributions()}
print(json.dumps({**have, "python": platform.python_version()}))
"""


@dataclass(frozen=True)
class PeerVenv:
    """The environment `.venv-NAME/`."""

    name: str

    @property
    def folder(self) -> Path:
        return ROOT / f".venv-{self.name}"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def requirements(self) -> Path:
        return ROOT / "requirements" / f"{self.name}.txt"

    def build(self) -> None:
        """Build the environment, unless it is there as the requirements have it."""
        stamp = self.folder / "stamp"
        wanted = f"{ROOT} {hashlib.sha256(self.requirements.read_bytes()).hexdigest()}"
        if stamp.exists() and stamp.read_text() == wanted and self.python.exists():
            return
        sys.stdout.write(f"building {self.folder.name}/ (up to a few minutes, once)\n")
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder)], check=True)
        (self.folder / ".gitignore").write_text("*\n")
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq"]
        options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(self.requirements)]
        subprocess.run([*pip, *options], check=True, cwd=ROOT)
        stamp.write_text(wanted)

    def versions(self) -> dict[str, str]:
        """Installed versions by package name; empty where the environment is not built."""
        if not self.python.exists():
            return {}
        told = subprocess.run([str(self.python), "-c", _VERSIONS], capture_output=True, text=True, check=True).stdout
        return dict(json.loads(told))


def child_environment() -> dict[str, str]:
    """Our own environment without proxies: everything here is on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

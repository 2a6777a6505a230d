"""Where the programs are that Airflow needs beside itself, and what to install where they are not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

# Debian puts the server's programs, and not only a link to the newest client, beside each version.
_POSTGRESQL = Path("/usr/lib/postgresql")
PACKAGES = {"initdb": "postgresql", "postgres": "postgresql", "redis-server": "redis-server"}


class ProgramMissing(Exception):  # noqa: N818 (what happened, in the words of the message)
    """A program is not installed."""


def program(name: str) -> Path:
    """The path of a program.

    Raises:
        ProgramMissing: its message says what to install.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    versions = sorted(_POSTGRESQL.glob(f"*/bin/{name}"), key=_version)
    if not versions:
        raise ProgramMissing(f"{name} is not installed: apt-get install {PACKAGES[name]} (Debian, Ubuntu)")
    return versions[-1]


def _version(path: Path) -> int:
    number = re.match(r"\d+", path.parent.parent.name)
    return int(number[0]) if number else 0

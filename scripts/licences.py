"""Checks what is installed against the lock, and its licences against the ones that are allowed. Asks no network.

`make lint` runs it. What the package brings to its users, with all extras and what these ask for, must be under a
permissive licence; what only tests and tools use may also be under a weak copyleft. Known vulnerabilities are another
question, which needs the network: `make audit`.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
OURS = "airflow-provider-batchdl"
INSTALLERS = {OURS, "pip", "setuptools", "wheel"}  # a venv's own, in no lock

PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CNRI-Python", "HPND", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "ZPL-2.1", "Zlib",
}  # fmt: skip
"""MPL-2.0 is about its own files only, which nobody changes here: certifi, pathspec and others of Airflow's."""

WEAK = PERMISSIVE | {"LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later"}

ACCEPTED = {
    "openlineage-sql": "states none; it is a part of OpenLineage, which is under Apache-2.0",
    "text-unidecode": "under the Artistic License or the GPL, by choice; Airflow asks for it, through python-slugify",
}

# What says no SPDX expression of itself says one of these, in a classifier or the old field.
SAID = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache license, version 2": "Apache-2.0",
    "apache-2.0 license": "Apache-2.0",
    "apache v2": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "psf": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu library or lesser general public license (lgpl)": "LGPL-3.0-or-later",
}


def licence(found: Distribution) -> str:
    """Return the SPDX expression that a distribution states, or its own words where these are not known."""
    metadata = found.metadata
    if expressions := metadata.get_all("License-Expression"):
        return str(expressions[0])
    named = [
        text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    named = [each for each in named if each != "OSI Approved"]
    words = named or ["".join(metadata.get_all("License") or []).strip().partition("\n")[0]]
    known = [SAID.get(each.lower(), each) for each in words]
    return " OR ".join(known)


def allows(expression: str, allowed: set[str]) -> bool:
    """Tell whether one alternative of an expression is made of allowed licences only."""
    alternatives = re.split(r"\s+OR\s+", expression.replace("(", "").replace(")", ""))
    parts = (re.split(r"\s+AND\s+", each) for each in alternatives)
    return any(all(re.sub(r"\s+WITH\s+.*", "", part).strip() in allowed for part in each) for each in parts)


def brought(installed: dict[str, Distribution]) -> set[str]:
    """Name what an installation of the package with all extras brings along, of what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    found: set[tuple[str, frozenset[str]]] = set()
    left = [Requirement(text) for text in asked]
    while left:
        each = left.pop()
        key = (canonicalize_name(each.name), frozenset(each.extras))
        if key in found or key[0] not in installed or key[0] == OURS:
            continue
        found.add(key)
        for text in installed[key[0]].requires or []:
            needed = Requirement(text)
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *each.extras)):
                left.append(needed)
    return {name for name, _ in found}


def pins() -> dict[str, str]:
    """Return the version of each package that the lock has for this Python."""
    entries = re.findall(
        r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ]+)(?: ; ([^\\]+))? \\$",
        (ROOT / "requirements" / "dev.txt").read_text(),
        re.MULTILINE,
    )
    return {
        name: version
        for name, version, marker in entries
        if not marker or Requirement(f"{name} ; {marker}").marker.evaluate()  # type: ignore[union-attr]
    }


def problems() -> list[str]:
    """List what is wrong, one line each."""
    installed = {str(canonicalize_name(each.name)): each for each in distributions()}
    locked, users = pins(), brought(installed)
    wrong = [
        f"{name} {installed[name].version} is installed, and requirements/dev.txt has {locked.get(name, 'none')}"
        for name in sorted(installed.keys() - INSTALLERS)
        if installed[name].version != locked.get(name)
    ]
    wrong += [
        f"{name} is in requirements/dev.txt, and not installed" for name in sorted(locked.keys() - installed.keys())
    ]
    for name in sorted(installed.keys() - INSTALLERS):
        stated = licence(installed[name])
        if name not in ACCEPTED and not allows(stated, PERMISSIVE if name in users else WEAK):
            who = "the package brings it to its users" if name in users else "a tool of ours"
            wrong.append(f"{name} is under {stated or 'no stated licence'!r} ({who}): see scripts/licences.py")
    return wrong


if __name__ == "__main__":
    found = problems()
    print("\n".join(found) or "Licences and pins: all as they should be.")
    sys.exit(bool(found))

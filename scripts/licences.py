"""Checks what is installed against the lock, and its licences against the ones that are allowed. Asks no network.

`make lint` runs it. What the package brings to its users, with all extras and what these ask for, must be under a
permissive licence; what only tests and tools use may also be under a weak copyleft. What users get is locked in
requirements/extras.txt. `.venv/` lacks the providers of Google and Azure and what these ask for: so `make lock` notes
licences in requirements/extras-licences.txt, from pip's report (``note REPORT.json``) on what ``pins`` prints. Known
vulnerabilities are another question, which needs the network: `make audit`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from email.message import Message
from importlib.metadata import PackageMetadata, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = Path(__file__).resolve().parent.parent / "requirements"
NOTED = LOCKS / "extras-licences.txt"
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.15"}  # whose versions are noted, whatever runs this
OURS = "airflow-provider-batchdl"
INSTALLERS = {OURS, "pip", "setuptools", "wheel"}  # a venv's own, in no lock

PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC", "MIT",
    "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "ZPL-2.1", "Zlib",
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
    "apache license": "Apache-2.0",  # the first line of its text, whose second has the version
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


def licence(metadata: PackageMetadata | Message) -> str:
    """Return the SPDX expression that a package's metadata state, or their own words where these are not known."""
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


def pins(lock: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the version of each package that a lock has for an environment; for this Python unless one is given."""
    entries = re.findall(
        r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ]+)(?: ; ([^\\]+))? \\$", (LOCKS / f"{lock}.txt").read_text(), re.MULTILINE
    )
    return {
        name: version
        for name, version, marker in entries
        if not marker or Requirement(f"{name} ; {marker}").marker.evaluate(dict(environment or {}))  # type: ignore[union-attr]
    }


def noted() -> dict[str, tuple[str, str]]:
    """Return version and licence of each package that `make lock` noted."""
    lines = (line.split(" ", 2) for line in NOTED.read_text().splitlines())
    return {name: (version, stated) for name, version, stated in lines}


def note(report: Mapping[str, list[dict[str, dict[str, object]]]]) -> str:
    """Return the lines of what :func:`noted` reads, from what `pip install --report` tells of the :func:`pins`."""
    lines = []
    for each in report["install"]:
        told, metadata = each["metadata"], Message()
        for name in ("license-expression", "license", "classifier"):
            values = told.get(name.replace("-", "_"), [])
            for value in values if isinstance(values, list) else [values]:
                metadata[name] = str(value)
        lines.append(f"{canonicalize_name(str(told['name']))} {told['version']} {licence(metadata)}\n")
    return "".join(sorted(lines))


def problems() -> list[str]:
    """List what is wrong, one line each."""
    installed = {str(canonicalize_name(each.name)): each for each in distributions()}
    locked, users, notes = pins("dev"), pins("extras"), noted()
    wrong = [
        f"{name} {installed[name].version} is installed, and requirements/dev.txt has {locked.get(name, 'none')}"
        for name in sorted(installed.keys() - INSTALLERS)
        if installed[name].version != locked.get(name)
    ]
    wrong += [
        f"{name} is in requirements/dev.txt, and not installed" for name in sorted(locked.keys() - installed.keys())
    ]
    wrong += [
        f"{name} {version} is in requirements/extras.txt, and not in {NOTED.name}: run make lock"
        for name, version in pins("extras", OLDEST).items()
        if notes.get(name, ("", ""))[0] != version
    ]
    stated = {name: licence(each.metadata) for name, each in installed.items() if name not in INSTALLERS}
    for name, words in sorted({*stated.items(), *((name, words) for name, (_, words) in notes.items())}):
        is_users = name in users or name in notes
        if name not in ACCEPTED and not allows(words, PERMISSIVE if is_users else WEAK):
            who = "the package brings it to its users" if is_users else "a tool of ours"
            wrong.append(f"{name} is under {words or 'no stated licence'!r} ({who}): see scripts/licences.py")
    return wrong


def main(arguments: list[str]) -> int:
    """Check, or do what the module's docstring says."""
    match arguments:
        case ["pins"]:
            print("\n".join(f"{name}=={version}" for name, version in pins("extras", OLDEST).items()))
        case ["note", report]:
            NOTED.write_text(note(json.loads(Path(report).read_text())))
        case _:
            found = problems()
            print("\n".join(found) or "Licences and pins: all as they should be.")
            return bool(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

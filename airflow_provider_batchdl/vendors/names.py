"""Names of vendors, each of which is a connection type of Airflow's."""

from __future__ import annotations

import re

# Airflow writes a type into a URI's scheme, reads "-" there as "_", and takes "__" for the end of it in its forms.
_USABLE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 100
# Airflow's own types, and the one of hooks of no vendor.
_TAKEN = frozenset({"batchdl", "email", "fs", "generic", "http", "package_index", "postgresql"})


def problem_of_name(name: object) -> str | None:
    """The reason why a name is no connection type, as the rest of a sentence; None for one that is."""
    if not isinstance(name, str) or len(name) > _LONGEST or not _USABLE.fullmatch(name):
        return f"is {repr(name)[:_LONGEST]}, and must be a connection type: small letters, digits and single '_'"
    return f"is {name!r}, a connection type that is not a vendor's" if name in _TAKEN else None

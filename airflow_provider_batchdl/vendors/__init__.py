"""The vendors' APIs, sans I/O: sync and async clients drive the same objects.

A vendor is found by its name, which is also its connection type. A package adds one with an entry point::

    [project.entry-points."airflow_provider_batchdl.vendors"]
    acme = "acme_batch:Acme"

and a test, or code that runs in every Airflow process, with :func:`register`.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

__all__ = ["names", "register", "vendor_class"]

V = TypeVar("V", bound="type[Vendor]")

ENTRY_POINT_GROUP = "airflow_provider_batchdl.vendors"

# Modules, not classes: a DAG file that names one vendor must not pay for importing the others.
_BUILT_IN = {
    "revenuebase": "airflow_provider_batchdl.vendors.revenuebase:Revenuebase",
    "proofy": "airflow_provider_batchdl.vendors.proofy:Proofy",
    "batchcom": "airflow_provider_batchdl.vendors.batchcom:BatchCom",
    "apartmentiq": "airflow_provider_batchdl.vendors.apartmentiq:ApartmentIQ",
    "batchapi": "airflow_provider_batchdl.vendors.declared.batchapi:BatchApi",
}
_registered: dict[str, type[Vendor]] = {}
# Airflow writes a type into a URI's scheme, reads "-" there as "_", and takes "__" for the end of it in its forms.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 100
# Airflow's own types, and the one of hooks of no vendor.
_TAKEN = frozenset({"batchdl", "email", "fs", "generic", "http", "package_index", "postgresql"})


class UnfitVendorError(TypeError):
    """A class cannot be a vendor; the message names it, and what it lacks."""


class UnusableVendorError(LookupError):
    """A package's entry point leads to no vendor that can be used; the message says which package, and why."""


def register(vendor: V) -> V:
    """Make ``vendor`` known under its ``name``; usable as a class decorator.

    A module that is loaded once more replaces its own class.

    Raises:
        TypeError: the class lacks something that a vendor must have, or another class has its name.
    """
    from airflow_provider_batchdl.vendors.registration import named, problem_of_class

    if problem := problem_of_class(vendor):
        raise UnfitVendorError(problem)
    other = _registered.get(vendor.name)
    taken = named(other) if other else _BUILT_IN.get(vendor.name, "").replace(":", ".")
    if taken and taken != named(vendor):
        raise UnfitVendorError(f"{named(vendor)} cannot be a vendor: its name, {vendor.name!r}, is that of {taken}.")
    _registered[vendor.name] = vendor
    return vendor


def names() -> list[str]:
    """The names of all vendors known here."""
    return sorted({*_BUILT_IN, *_registered, *installed()})


def installed() -> dict[str, list[EntryPoint]]:
    """The entry points of vendors in other packages, by name; without names that are no connection type."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name not in _BUILT_IN and problem_of_name(entry.name) is None:
            found.setdefault(entry.name, []).append(entry)
    return found


def problem_of_name(name: object) -> str | None:
    """The reason why a name is no connection type, as the rest of a sentence; None for one that is."""
    if not isinstance(name, str) or len(name) > _LONGEST or not _NAME.fullmatch(name):
        return f"is {repr(name)[:_LONGEST]}, and must be a connection type: small letters, digits and single '_'"
    return f"is {name!r}, a connection type that is not a vendor's" if name in _TAKEN else None


def is_built_in(name: str) -> bool:
    """True if this package has a class of that name."""
    return name in _BUILT_IN


def vendor_class(name: str) -> type[Vendor]:
    """The vendor called ``name``.

    Raises:
        LookupError: there is none; the message lists those there are. Or the package that has it is broken; then the
            message says which, and what is wrong.
    """
    if name in _registered:
        return _registered[name]
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        found: type[Vendor] = getattr(import_module(module), attribute)
        _registered[name] = found
        return found
    entries = installed().get(name)
    if not entries:
        raise LookupError(f"No batch vendor is called {name!r}; known: {', '.join(names())}.")
    return _load(entries)


def _load(entries: list[EntryPoint]) -> type[Vendor]:
    """The class that entry points of one name lead to."""
    entry = entries[0]
    if len({each.value for each in entries}) > 1:
        raise UnusableVendorError(
            f"There are several vendors called {entry.name!r}, of {_and(entries)}: uninstall one."
        )
    try:
        found: type[Vendor] = entry.load()
        register(found)
    except (Exception, SystemExit) as error:
        words = str(error).rstrip(".")
        told = words if isinstance(error, UnfitVendorError) else f"{type(error).__name__}: {words}"
        raise _unusable(entries, told) from error
    if found.name != entry.name:
        raise _unusable(entries, f"the name of its class is {found.name!r}")
    return found


def _unusable(entries: list[EntryPoint], words: str) -> UnusableVendorError:
    return UnusableVendorError(f"The vendor {entries[0].name!r} of {_and(entries)} cannot be used: {words}.")


def _and(entries: list[EntryPoint]) -> str:
    """The packages that entry points are of, with the class that each names."""
    return " and ".join(
        f"{f'package {entry.dist.name} {entry.dist.version}' if entry.dist else 'some package'} ({entry.value})"
        for entry in entries
    )

"""What each API says. No input or output here, so sync and async clients drive the same objects.

A vendor is found by its name, which is also its connection type. A package adds one with an entry point::

    [project.entry-points."airflow_provider_batchdl.vendors"]
    acme = "acme_batch:Acme"

and a test, or code that runs in every Airflow process, with :func:`register`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

V = TypeVar("V", bound="type[Vendor]")

ENTRY_POINT_GROUP = "airflow_provider_batchdl.vendors"

# Modules, not classes: a DAG file that names one vendor must not pay for importing the others.
_BUILT_IN = {
    "revenuebase": "airflow_provider_batchdl.vendors.revenuebase:Revenuebase",
    "proofy": "airflow_provider_batchdl.vendors.proofy:Proofy",
    "batchcom": "airflow_provider_batchdl.vendors.batchcom:BatchCom",
    "apartmentiq": "airflow_provider_batchdl.vendors.apartmentiq:ApartmentIQ",
}
_registered: dict[str, type[Vendor]] = {}


def register(vendor: V) -> V:
    """Make ``vendor`` known under its ``name``; usable as a class decorator. The last registration wins."""
    _registered[vendor.name] = vendor
    return vendor


def names() -> list[str]:
    """The names of all vendors known here."""
    return sorted({*_BUILT_IN, *_registered, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))})


def vendor_class(name: str) -> type[Vendor]:
    """The vendor called ``name``.

    Raises:
        LookupError: there is none; the message lists those there are.
    """
    if name in _registered:
        return _registered[name]
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        found: type[Vendor] = getattr(import_module(module), attribute)
        return register(found)
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        loaded: type[Vendor] = entry.load()
        return register(loaded)
    raise LookupError(f"No batch vendor is called {name!r}; known: {', '.join(names())}.")

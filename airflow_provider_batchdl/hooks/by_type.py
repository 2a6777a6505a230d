"""Hooks of vendors in other packages, made by name: ``acme_hook`` for connections of type ``acme``.

Airflow imports a connection type's hook by a dotted name, for the Test button and for ``airflow providers hooks``.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.hooks.base import BatchApiHook

__all__: list[str] = []

_SUFFIX = "_hook"


def __getattr__(name: str) -> type[BatchApiHook]:
    """The hook class of that name."""
    vendor = name.removesuffix(_SUFFIX)
    if vendor == name or vendor not in vendors.names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: no vendor is called {vendor!r}")
    return _hook_of(vendor)


@cache
def _hook_of(vendor: str) -> type[BatchApiHook]:
    """A hook as ``hooks/proofy.py`` has one. That of a broken vendor says so when it is used."""
    try:
        label = vendors.vendor_class(vendor).label
    except LookupError:
        label = vendor
    members = {
        "__doc__": f"Hook of {label}, for connections of type ``{vendor}``.",
        "__module__": __name__,
        "default_conn_name": f"{vendor}_default",
        "conn_type": vendor,
        "hook_name": label,
    }
    return cast("type[BatchApiHook]", type(f"{vendor}{_SUFFIX}", (BatchApiHook,), members))

"""The built-in vendors' own tests, with the vendors made of their documents instead of their classes.

A test that needs what no document can say is expected to fail, for the reason in ``limits.py``. If it passes, that is a
failure: the list is exact.
"""

from __future__ import annotations

import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.declared import Declared
from tests.client.conftest import _fresh, contacts, waits
from tests.client.helpers import Face
from tests.vendors.declared.documents import TWINS
from tests.vendors.declared.suite.limits import limit_of

__all__ = ["_fresh", "contacts", "waits"]

CLASSES: dict[str, type[Vendor]] = {path.stem: Declared.load(path) for path in sorted(TWINS.glob("*.toml"))}


@pytest.fixture(params=["sync"])
def face(request: pytest.FixtureRequest) -> Face:
    """One client: the other drives the same flows, as the tests of the built-in vendors show."""
    return Face(request.param)


@pytest.fixture(autouse=True)
def _twins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendors, "_registered", {**vendors._registered, **CLASSES})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/declared/suite/" in item.nodeid and (limit := limit_of(item.name)):
            item.add_marker(pytest.mark.xfail(strict=True, reason=limit.words))

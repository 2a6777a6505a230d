"""How vendors are found."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.vendors.proofy import Proofy
from tests.client.helpers import VENDORS


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendors, "_registered", {})


def test_the_four_are_known() -> None:
    assert set(VENDORS) <= set(vendors.names())
    for name in VENDORS:
        assert vendors.vendor_class(name).name == name


def test_an_unknown_one_lists_the_known() -> None:
    with pytest.raises(LookupError, match=r"'acme'; known: .*batchcom.*proofy"):
        vendors.vendor_class("acme")


def test_the_last_registration_wins() -> None:
    @vendors.register
    class First(Proofy):
        name = "acme"

    assert vendors.vendor_class("acme") is First

    @vendors.register
    class Other(Proofy):
        name = "acme"

    assert vendors.vendor_class("acme") is Other
    assert "acme" in vendors.names()


def test_a_package_adds_one_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("acme", "airflow_provider_batchdl.vendors.proofy:Proofy", vendors.ENTRY_POINT_GROUP)

    def entry_points(*, group: str, name: str | None = None) -> Any:
        assert group == vendors.ENTRY_POINT_GROUP
        return [point] if name in (None, "acme") else []

    monkeypatch.setattr(vendors, "entry_points", entry_points)
    assert "acme" in vendors.names()
    assert vendors.vendor_class("acme") is Proofy


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_says_what_users_need(name: str) -> None:
    kind = vendors.vendor_class(name)
    assert kind.label
    assert kind.docs_url.startswith("https://")
    assert kind.default_host.startswith("https://")
    assert kind.poll_interval > 0
    # One job looked at in the vendor's own rhythm stays within its limits.
    for limit in kind.rate_limits:
        assert limit.seconds / kind.poll_interval <= limit.requests

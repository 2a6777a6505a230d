"""What of a request is refused, warned of, and let pass."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.checking import check_request
from tests.client.helpers import VENDORS
from tests.support.requests import EXPORT, REPORT

EVENTS = {"export_type": "EVENTS", "from": "2026-10-01T00:00:00Z", "events": ["email_sent"]}


def vendor(name: str, **extra: Any) -> Vendor:
    extra.setdefault("project_key", "project_1")
    return vendors.vendor_class(name)(Account("https://api.example", "key", None, extra))


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("apartmentiq", REPORT),
        ("apartmentiq", {**REPORT, "callback_url": None}),
        ("apartmentiq", {**REPORT, "start_date": "2026-10-31"}),
        ("batchcom", EXPORT),
        ("batchcom", {**EXPORT, "filter": {"segment": "A"}}),
        ("batchcom", EVENTS),
        ("batchcom", {"export_type": "REACHABILITY", "channels": ["email"], "to": "now"}),
        ("proofy", {"emails": ["a@b.example"]}),
        ("proofy", {"file_name": "a.csv", "file_url": "https://files.example/a.csv"}),
        ("revenuebase", {}),
        ("revenuebase", {"metadata": "False"}),
    ],
)
def test_what_is_known_passes_without_a_word(
    name: str, request_: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    check_request(vendor(name), request_)
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "request_", "words"),
    [
        ("apartmentiq", {**REPORT, "timezone": "UTC"}, "'timezone' is none of the members known"),
        ("apartmentiq", {**REPORT, "property_id": 7}, "'property_id'"),  # property_ids is there: it is another one
        ("batchcom", {**EVENTS, "export_type": "SEGMENTS"}, "export_type is 'SEGMENTS'"),
        ("batchcom", {**EVENTS, "export_type": "EVENT"}, "export_type is 'EVENT'"),  # the others' word is a report
        ("batchcom", {**EVENTS, "events": "email_sent"}, "events must be a list"),
        ("proofy", {"file_url": 5}, "file_url must be a text"),
        ("revenuebase", {"webhook": "https://a.example"}, "'webhook'"),
    ],
)
def test_what_is_a_guess_is_warned_of_and_sent(
    name: str, request_: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_request(vendor(name), request_)
    assert words in caplog.text


@pytest.mark.parametrize(
    ("name", "request_", "words"),
    [
        ("batchcom", {**EXPORT, "filters": {}}, "did you mean 'filter'"),
        ("batchcom", {"export_type": "ATTRIBUTE", "attributes": ["a"]}, "did you mean 'ATTRIBUTES'"),
        ("batchcom", {**EXPORT, "identifiers": "custom_id"}, "identifiers must be a list"),
        ("batchcom", {**EXPORT, "filter": "A"}, "filter must be a dict"),
        ("apartmentiq", {**REPORT, "property_ids": [True]}, "item 1 of property_ids must be a whole number"),
        ("apartmentiq", {**REPORT, "property_ids": [1.5]}, "item 1 of property_ids"),
        ("apartmentiq", {**REPORT, "end_date": "2026-02-30"}, "end_date must be a date"),
        (
            "apartmentiq",
            {**REPORT, "end_date": 20261031},
            "end_date must be a date like 2026-10-31, and is of type int",
        ),
        ("apartmentiq", {**REPORT, "report_type": "Units"}, "did you mean 'units'"),
        ("proofy", {"emails": ["a@b.example", None]}, "item 2 of emails must be a text"),
        ("proofy", {"addresses": ["a@b.example"]}, "it is neither"),
    ],
)
def test_what_the_documents_rule_out_is_refused(name: str, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(words)) as caught:
        check_request(vendor(name), request_)
    assert caught.value.vendor == name
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("name", "request_", "words"),
    [
        ("batchcom", {"export_type": "ATTRIBUTES"}, "it asks for neither attributes nor identifiers"),
        ("batchcom", {"export_type": "ATTRIBUTES", "attributes": []}, "it asks for neither"),
        ("apartmentiq", {**REPORT, "start_date": "2026-11-01", "end_date": "2026-10-31"}, "is after end_date"),
    ],
)
def test_a_rule_across_members(name: str, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_request(vendor(name), request_)


def test_no_address_is_shown() -> None:
    for emails in ("ada@example.com", {"ada@example.com": 1}, ["grace@b.example", b"ada@example.com"]):
        with pytest.raises(InvalidRequestError) as caught:
            check_request(vendor("proofy"), {"emails": emails})
        assert "ada" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "request_"),
    [
        ({"callback_urls": []}, {**REPORT, "callback_urls": ["https://a.example"]}),
        ({"report_type": ["unit"]}, {**REPORT, "report_type": "unit"}),
    ],
)
def test_the_connection_knows_more(
    extra: dict[str, list[str]], request_: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidRequestError, match="did you mean"):
        check_request(vendor("apartmentiq"), request_)
    for written in (extra, json.dumps(extra)):  # in a connection's URI, all of it is text
        check_request(vendor("apartmentiq", new_members=written), request_)
    assert not caplog.records


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)


@given(st.sampled_from(VENDORS), st.dictionaries(st.sampled_from([*REPORT, *EVENTS, "emails"]) | st.text(), JSON))
def test_whatever_it_is_it_passes_or_is_refused_as_typed(name: str, request_: dict[str, Any]) -> None:
    with suppress(InvalidRequestError):
        check_request(vendor(name), request_)

"""Mistakes in a request: what can be known before sending it shows before the submit."""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_batchdl.exceptions import InvalidArgumentError, InvalidRequestError
from tests.mistakes import BEFORE_SUBMIT, PARSE, REFUSED, Mistake
from tests.mistakes.desk import Desk, Shown
from tests.support.requests import EXPORT, REPORT

_HALF = (
    "See what its template or the task upstream gives: an emoji that was cut in two, or bytes that are no UTF-8 and "
    "were read as text."
)
CORRECT = "Correct the task's request. If the vendor takes it by now, say so in the connection's extra: "


def report(desk: Desk, **members: Any) -> Shown:
    """Order a report from ApartmentIQ, with other members; None leaves one out."""
    request = {name: value for name, value in {**REPORT, **members}.items() if value is not None}
    return desk.run(vendor="apartmentiq", request=request)


def _refused(did: str, says: str, **members: Any) -> Mistake:
    words = f"ApartmentIQ would not take this request: {says}"
    return Mistake(did, lambda desk: report(desk, **members), BEFORE_SUBMIT, InvalidRequestError, words, CORRECT)


MISTAKES: list[Mistake] = [
    Mistake(
        "gives ApartmentIQ a file",
        lambda desk: desk.run(vendor="apartmentiq", request=None, file="people.csv"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "ApartmentIQ takes a request, and no file.",
        "Correct the task's request or file.",
    ),
    _refused(
        "misspells a member of a request",
        "'reprot_type' is none of the members known, report_type, … (did you mean 'report_type'?).",
        report_type=None,
        reprot_type="property",
    ),
    _refused(
        "misspells a member that may be left out",
        "'callbackUrl' is none of the members known, … (did you mean 'callback_url'?).",
        callbackUrl="https://example.com/done",
    ),
    _refused(
        "misspells a report's type",
        "report_type is 'propertys', and may be 'floorplans', 'property', 'units' (did you mean 'property'?).",
        report_type="propertys",
    ),
    _refused(
        "asks for a report that there is not",
        "report_type is 'weather', and may be 'floorplans', 'property', 'units'.",
        report_type="weather",
    ),
    _refused("leaves out members that a request must have", "end_date is missing.", end_date=None),
    _refused("gives no property", "property_ids is an empty list.", property_ids=[]),
    _refused(
        "gives ids as text where they are numbers",
        "item 2 of property_ids must be a whole number, and is a text.",
        property_ids=[1201, "1202"],
    ),
    _refused(
        "takes a list from a template, which renders to text",
        "property_ids must be a list, each item a whole number, and is a text (a template renders to text: give the "
        "other task's .output, or set render_template_as_native_obj).",
        property_ids="{{ [1201, 1202] }}",
    ),
    _refused(
        "writes a day in another form",
        "start_date must be a date like 2026-10-31, and is a text, '20261001'.",
        start_date="20261001",
    ),
    _refused(
        "asks for a period that ends before it begins",
        "start_date, 2026-10-31, is after end_date, 2026-10-01.",
        start_date="2026-10-31",
        end_date="2026-10-01",
    ),
    Mistake(
        "gives Proofy more addresses than it takes",
        lambda desk: desk.run(vendor="proofy", request={"emails": ["u@b.example"] * 10_001}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Proofy would not take this request: emails has 10,001 items, and may have 10,000; split them, …",
        CORRECT,
    ),
    Mistake(
        "asks Batch.com for nothing",
        lambda desk: desk.run(vendor="batchcom", request={"export_type": "ATTRIBUTES"}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Batch.com would not take this request: it asks for neither attributes nor identifiers.",
        CORRECT,
    ),
    Mistake(
        "gives Revenuebase's metadata another word than true or false",
        lambda desk: desk.run(request={"metadata": "yes"}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Revenuebase would not take this request: metadata must be true or false, and is a text, 'yes'.",
        CORRECT,
    ),
    Mistake(
        "uses a member that is not in the vendor's documentation",
        lambda desk: desk.run(vendor="batchcom", request={**EXPORT, "consent": "all"}, max_xcom_bytes=10**6),
        REFUSED,
        None,
        "The request to Batch.com is sent as it is, although 'consent' is none of the members known, export_type, …",
        'Name it in the connection\'s extra if it is right: {"new_members": {"consent": []}}.',
    ),
    Mistake(
        "writes a request as text that is no JSON",
        lambda desk: desk.run(vendor="proofy", request="{{ {'emails': ['a@b.example']} }}"),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request is a text of … characters that is no JSON: a template renders to text.",
        "Give the other task's .output instead of a template, set render_template_as_native_obj=True, or put the "
        "template's value through `| tojson`.",
    ),
    Mistake(
        "gives a request a text with half a character in it",
        lambda desk: desk.parse(vendor="proofy", request={"emails": ["a@b.example"], "note": "\ud83d"}),
        PARSE,
        InvalidArgumentError,
        "The request has half a character (a lone surrogate) in it at ['note'], which Airflow can neither store nor "
        "send.",
        _HALF,
    ),
    Mistake(
        "gives a request a template that renders to half a character",
        lambda desk: desk.run(vendor="proofy", request={"emails": ["a@b.example", "{{ '\\ud83d' }}"]}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request has half a character (a lone surrogate) in it at ['emails'][1], which Airflow can neither store "
        "nor send.",
        _HALF,
    ),
    Mistake(
        "gives a request a number that JSON does not have",
        lambda desk: desk.parse(vendor="proofy", request={"emails": ["a@b.example"], "weights": [1.0, math.nan]}),
        PARSE,
        InvalidArgumentError,
        "The request has NaN, an infinity or a whole number beyond 64 bits in it at ['weights'][1], which Airflow can "
        "neither store nor send.",
        "Leave it out, or give the number as text where the vendor takes that.",
    ),
    Mistake(
        "gives a request a template of which a part renders to None",
        lambda desk: desk.run(vendor="proofy", request={"emails": ["{{ none }}@b.example"]}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "The request['emails'][0] rendered to a text with None for a part of it.",
        "Check what its template renders to, …",
    ),
    Mistake(
        "gives a request an address that renders to nothing",
        lambda desk: desk.run(vendor="proofy", request={"emails": ["a@b.example", "{{ '' }}"]}),
        BEFORE_SUBMIT,
        InvalidRequestError,
        "Proofy would not take this request: item 2 of emails must be a text, and is empty.",
        CORRECT,
    ),
    Mistake(
        "gives a list of requests to one task",
        lambda desk: desk.parse(vendor="proofy", request=[{"emails": ["a@b.example"]}]),
        PARSE,
        InvalidArgumentError,
        "The request is of type list, and a request is a dict.",
        "Map the task over a list of requests: .expand(request=[…]) makes one task for each; a dict is no such list.",
    ),
]

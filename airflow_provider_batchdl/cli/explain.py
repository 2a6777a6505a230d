"""Command ``airflow batchdl check --explain``: one connection and its test, as text for a bug report, no secrets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from typing import Any, TypeAlias

import httpx

from airflow_provider_batchdl import __version__
from airflow_provider_batchdl._airflow.compat import airflow_version
from airflow_provider_batchdl._redaction.redactor import excerpt, redact, redact_url
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.cli.session import FAILED, write_line
from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.client.environment import route_to
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.hooks._account import fields_of, get_connection, vendor_for
from airflow_provider_batchdl.hooks._client import TEST_SECONDS
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.connections import Fields
from airflow_provider_batchdl.vendors.extras import COMMON, BadExtraError, read_extra
from airflow_provider_batchdl.vendors.guesses import GUESSES

_WIDTH = 14
_LONGEST = 200


Exchange: TypeAlias = tuple[httpx.Request, httpx.Response | None, float]


def explain(conn_id: str) -> None:
    """Print everything about a connection; exits with 1 if it does not work."""
    try:
        for line in _report(conn_id):
            write_line(sys.stdout, redact(line))
    except BatchDlError as error:
        failed = _row("failed", f"{type(error).__name__}: {' '.join(words_of(error).split())}")
        write_line(sys.stdout, redact(failed))
        raise SystemExit(FAILED) from None


def _report(conn_id: str) -> Iterator[str]:
    """The report's lines, up to the first error."""
    yield (
        f"airflow-provider-batchdl {__version__}, Airflow {airflow_version()}, Python {platform.python_version()}, "
        f"{platform.system()}"
    )
    connection = get_connection(conn_id)
    yield from ("", f"Connection {conn_id}{_source(conn_id)}", *_read(fields_of(connection)))
    vendor = vendor_for(connection)
    yield from ("", "Requests go", *_way(vendor))
    asked: list[Exchange] = []
    outcome: str | BatchDlError
    try:
        outcome = _ask(vendor, asked)
    except BatchDlError as error:
        outcome = error
    yield from ("", "Asked", *(map(_exchange, asked) if asked else ["  nothing"]))
    yield from ("", f"Assumptions about {vendor.label}", *_guesses(vendor, asked), "", "Outcome")
    if isinstance(outcome, BatchDlError):
        raise outcome
    yield _row("ok", outcome)


def _ask(vendor: Vendor, asked: list[Exchange]) -> str:
    """Test the credentials, and read one page of the list; changes nothing at the vendor."""

    def note(request: httpx.Request, response: httpx.Response | None, seconds: float) -> None:
        asked.append((request, response, seconds))

    with BatchClient(vendor, single_try=TEST_SECONDS, on_exchange=note) as client:
        words = client.run(vendor.check())
        if vendor.listing is not None:
            client.run(vendor.list_page())
    return words


def _exchange(exchange: Exchange) -> str:
    request, response, seconds = exchange
    url = redact_url(str(request.url.copy_with(query=None)))
    return f"  {request.method} {url}: {'no answer' if response is None else response.status_code} in {seconds:.3f} s"


def _guesses(vendor: Vendor, asked: list[Exchange]) -> Iterator[str]:
    for guess in GUESSES.get(vendor.name, ()):
        said = {guess.verdict(request.url.path, response) for request, response, _ in asked if response is not None}
        word = "refuted" if False in said else "confirmed" if True in said else "not seen"
        yield _row(word, f"{guess.text} ({guess.sure})")
    if vendor.name not in GUESSES:
        yield "  none are marked"


def _row(name: str, value: object) -> str:
    return f"  {name:<{_WIDTH}} {value}"


def _source(conn_id: str) -> str:
    """The environment variable that a connection is read from, if any."""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    return f", of the environment variable {variable}" if os.environ.get(variable) else ""


def _read(fields: Fields) -> Iterator[str]:
    """The fields; only the length of those that may hold a secret, as even a misplaced host may."""
    yield _row("type", excerpt(fields.conn_type or "-", _LONGEST))
    for name in ("host", "login", "password"):
        yield _row(name, _length(getattr(fields, name)))
    yield _row("schema", _length(fields.schema))
    yield _row("port", "-" if fields.port is None else fields.port)
    try:
        extra = read_extra(fields.extra)
    except BadExtraError as error:
        yield _row("extra", str(error))
        return
    for name, value in sorted(extra.items()):
        is_shown = name in COMMON or name == "api_version" or (name == "token_url" and "@" not in str(value))
        yield _row(f"extra {excerpt(name, 40)}", excerpt(repr(value), _LONGEST) if is_shown else _length(value))


def _length(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return f"set, {len(value)} characters" if isinstance(value, str) else f"set, a {type(value).__name__}"


def _way(vendor: Vendor) -> Iterator[str]:
    url = vendor.account.base_url
    route = route_to(url)
    yield _row("to", redact_url(url))
    if route.proxy:
        yield _row("by proxy", f"{route.proxy} ({route.proxy_variable})")
    else:
        why = f", by NO_PROXY's {route.no_proxy}" if route.no_proxy else ""
        yield _row("by proxy", f"none{why}")
    if url.startswith("https:"):
        yield _row("trusting", f"{route.ca_bundle} ({route.ca_variable or 'certifi'})")
    if vendor.ignored_extra:
        yield _row("ignoring", f"the extra's {', '.join(excerpt(name, 40) for name in vendor.ignored_extra)}")

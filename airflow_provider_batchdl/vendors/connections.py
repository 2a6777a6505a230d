"""From the fields of a connection to a vendor's account; each mistake in them is one sentence, before any request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl._redaction.redactor import excerpt, redact, remember
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.extras import BadExtraError, is_secret, read_extra
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url
from airflow_provider_batchdl.vendors.words import nearest, problem_of, stripped

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.base import Vendor

_LONGEST_TYPE = 60
_ALIKE = 0.6


@dataclass(frozen=True)
class Fields:
    """A connection, as Airflow stores it; for ``host``, ``schema`` and ``port`` see :func:`base_url`."""

    conn_id: str
    conn_type: str | None = None
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    extra: str | Mapping[str, Any] | None = field(default=None, repr=False)


def vendor_of(fields: Fields, *, wanted: str | None = None, read_file: Callable[[str], bytes] | None = None) -> Vendor:
    """The vendor that the connection's type names (``wanted``, if given), with the connection's account.

    ``read_file`` reads the file that the extra of a declared vendor names.
    """
    kind = vendor_class_of(fields, wanted=wanted)
    extra = _known_extra(fields, kind)
    return _of(*kind.chosen_by(extra, fields.conn_id, read_file), fields)


def vendor_by(kind: type[Vendor], fields: Fields, ignored: Collection[str] = ()) -> Vendor:
    """The vendor of class ``kind``, whatever the connection's type, without the members ``ignored`` of its extra."""
    extra = _known_extra(fields, kind)
    return _of(kind, {name: value for name, value in extra.items() if name not in ignored}, fields)


def _known_extra(fields: Fields, kind: type[Vendor]) -> Mapping[str, Any]:
    """The extra; the redactor knows all secrets of the connection from then on."""
    try:
        extra = read_extra(fields.extra)
    except BadExtraError as error:
        _wrong(fields, kind, "extra", str(error), 'Write it as {"name": "value"}, or leave it empty.')
    # First: no message from here on may show them.
    for name, value in extra.items():
        if isinstance(value, str) and is_secret(name):
            remember(stripped(value))
    remember(stripped(fields.password or ""))
    return extra


def _of(kind: type[Vendor], extra: Mapping[str, Any], fields: Fields) -> Vendor:
    where, secret, login = _base_url(fields, kind), stripped(fields.password or ""), stripped(fields.login or "")
    anew = f"Paste {kind.label}'s key, secret or token anew."
    if not secret:
        remedy = f"Put {kind.label}'s key, secret or token into its password field."
        if fields.login:
            remedy += " Its login field has something in it, which may be that."
        _wrong(fields, kind, "password", "is empty", remedy)
    for name, value, remedy in (("password", secret, anew), ("login", login, "Paste it anew.")):
        problem = problem_of(value, is_secret=name == "password") if value and kind.has_plain_secret else None
        if problem is not None:
            _wrong(fields, kind, name, problem, remedy)
    return kind(Account(where, secret, login or None, extra, fields.conn_id))


def vendor_class_of(fields: Fields, *, wanted: str | None = None) -> type[Vendor]:
    """The vendor that the connection's type names; refuses a type that is none's, or not the one ``wanted``."""
    found = fields.conn_type or ""
    shown = f"is {excerpt(found, _LONGEST_TYPE)!r}" if found else "is missing"
    if wanted is not None and found != wanted:
        _wrong(fields, None, "type", f"{shown}, and {wanted!r} is needed here", "Name a connection of that type.")
    try:
        return vendors.vendor_class(found)
    except vendors.UnusableVendorError as error:
        told = f"{shown}. {redact(str(error).rstrip('.'))}"
        _wrong(fields, None, "type", told, "Correct, update or uninstall that package.")
    except LookupError:
        names = vendors.names()
        close = nearest(found, names, _ALIKE)
        meant = f": did you mean {close!r}?" if close else ""
        problem = f"{shown}, which is no batch API's{meant}" if found else shown
        remedy = f"Name another connection, or correct its type; known: {', '.join(names)}."
        _wrong(fields, None, "type", problem, remedy)


def _base_url(fields: Fields, kind: type[Vendor]) -> str:
    if not kind.default_host and not stripped(fields.host or ""):
        remedy = f"Put the base URL of your account at {kind.label} into it, with https."
        _wrong(fields, kind, "host", "is empty", remedy)
    try:
        return base_url(fields.host, kind.default_host, schema=fields.schema, port=fields.port)
    except NoBaseUrlError as error:
        remedy = "Give https://host/path as the host."
        if own := kind.default_host:
            remedy = f"Leave host, schema and port empty for {own}, or give https://host/path as the host."
        _wrong(fields, kind, error.field, str(error), remedy)


def _wrong(fields: Fields, kind: type[Vendor] | None, name: str, problem: str, remedy: str) -> NoReturn:
    raise InvalidConnectionError.of_field(
        name, problem, conn_id=fields.conn_id, vendor=None if kind is None else kind.name, remedy=remedy
    ) from None

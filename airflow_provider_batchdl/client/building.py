"""From a flow's request to the message of HTTP. A mistake of the vendor's class is refused before anything goes out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from airflow_provider_batchdl._redaction.redactor import excerpt, redact, remember_recent
from airflow_provider_batchdl._redaction.tracebacks import Secret
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.client.targets import (
    TARGET_CHECK,
    TargetCheck,
    checked_target,
    is_loopback_host,
    parsed_target,
)
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidRequestError
from airflow_provider_batchdl.vendors.account import TOKEN_BASE_URLS, origin
from airflow_provider_batchdl.vendors.base import ApiRequest, Vendor
from airflow_provider_batchdl.vendors.oauth2 import BUILT_ON
from airflow_provider_batchdl.vendors.requests import CLIENT_HEADERS

LONGEST_NAME = 60
NO_AUTH = httpx.Auth()
"""Puts nothing on a request: for one that goes beyond the connection's origin."""

# RFC 9110, sections 5.6.2 and 5.5: a token, and visible ASCII with blanks inside.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
_SECRET_NAME = re.compile(r"key|token|secret|auth|credential|signature|passw|session", re.IGNORECASE)
# httpx would resolve these segments, and some servers the escaped ones: the request would lead to another path.
_DOT_SEGMENT = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?=[/?]|$)", re.IGNORECASE)


def is_elsewhere(vendor: Vendor, request: ApiRequest) -> bool:
    """True if a request leads away from the connection's origin: it goes bare."""
    return request.url is not None and not vendor.is_home(request.url.partition("#")[0])


def awaits_sign_in(vendor: Vendor, request: ApiRequest) -> bool:
    """True if only a token can say whether a request leads away from the connection's origin."""
    return is_elsewhere(vendor, request) and TOKEN_BASE_URLS.get(vendor.account.fingerprint, "") is None


SIGN_IN = ApiRequest("check", "GET", "/")
"""A request that gets credentials and is not sent, for :func:`awaits_sign_in`."""


def build_request(
    vendor: Vendor, request: ApiRequest, headers: httpx.Headers, files: dict[str, Any] | None = None
) -> httpx.Request:
    """The ``httpx`` request for ``request``, before authentication, with ``headers`` beside its own.

    Not by the client of ``httpx``, which would merge a base URL, cookies and parameters that it does not have.
    """
    elsewhere = is_elsewhere(vendor, request)
    if wrong := next(_mistakes_in(request, elsewhere=elsewhere, has_files=files is not None), None):
        raise _mistaken(vendor, request, wrong)
    url = _url(vendor, request, elsewhere=elsewhere)
    body = {"json": request.json, "data": request.form, "content": request.content, **(files or {})}
    given = {name: value for name, value in body.items() if value is not None}
    try:
        message = _Request(request.method, url, headers=headers, params=dict(request.params or {}) or None, **given)
    except BatchDlError:
        raise  # the file to submit cannot be read
    except Exception as error:  # the request is the user's, and its values may raise anything
        raise InvalidRequestError(
            f"The {request.operation} request cannot be made: {words_of(error) or type(error).__name__}.",
            vendor=vendor.name,
            job_id=request.job_id,
            remedy="Check the task's request, which must be plain JSON (a date as text), and the connection's host.",
        ) from error
    if request.upload is not None and not request.upload.field:
        message.stream = given["content"]  # httpx made it a body of the sync client alone
        message.headers["Content-Type"] = request.upload.content_type
    if origin(str(message.url)) != origin(url):
        raise _mistaken(vendor, request, "its URL can be read in two ways")
    for name, value in (request.headers or {}).items():
        message.headers[name] = _masked(name, value)
    if request.url is None:
        message.extensions[BUILT_ON] = vendor.base_url
    if elsewhere:
        message.extensions[TARGET_CHECK] = TargetCheck(url, allow_loopback=is_loopback_host(vendor.account.origin[1]))
    return message


def _url(vendor: Vendor, request: ApiRequest, *, elsewhere: bool) -> str:
    if request.url is None:
        return vendor.base_url + request.path
    if elsewhere:
        scheme, host, _ = vendor.account.origin
        return checked_target(request.url, connection_host=host, over_tls=scheme == "https")
    return request.url.partition("#")[0]


def _mistaken(vendor: Vendor, request: ApiRequest, wrong: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The {request.operation} request cannot be made: {wrong}.",
        vendor=vendor.name,
        job_id=request.job_id,
        remedy=f"Correct the class of the vendor {vendor.name}.",
    )


def _mistakes_in(request: ApiRequest, *, elsewhere: bool, has_files: bool) -> Iterator[str]:
    """Mistakes in a request, each as the rest of a sentence: something would not be sent, or would lead elsewhere."""
    yield from _mistakes_in_place(request)
    yield from _mistakes_in_body(request, has_files=has_files)
    if request.headers:
        yield from _mistakes_in_headers(request.headers, has_body=_bodies(request))
    if elsewhere:
        bare = {"query parameters": request.params, "a body": _bodies(request), "headers": request.headers}
        for what, given in bare.items():
            if given:
                yield f"its URL is beyond the connection's origin, where it is fetched without {what}"
        if request.method != "GET":
            yield "its URL is beyond the connection's origin, where requests are GET only"


def _mistakes_in_place(request: ApiRequest) -> Iterator[str]:
    """Behind the base URL, a path of ``@host/x`` would send the credentials to that host."""
    if request.url is not None:
        if request.path:
            yield "it has both a path and a URL"
        try:
            parsed_target(request.url)
        except ValueError:
            yield f"its URL must be a whole one of http or https, not {excerpt(request.url, LONGEST_NAME)!r}"
    elif not request.path.startswith("/"):
        yield f"its path must begin with '/', not {excerpt(repr(request.path), LONGEST_NAME)}"
    elif "#" in request.path:
        yield "its path has a '#' in it, behind which nothing would be sent"
    elif _DOT_SEGMENT.search(request.path.partition("?")[0]):
        yield "its path has a segment '.' or '..', and would lead to another"
    if request.params and urlsplit(request.path or request.url or "").query:
        yield "it has query parameters both in its address and beside it"


def _mistakes_in_body(request: ApiRequest, *, has_files: bool) -> Iterator[str]:
    bodies = _bodies(request)
    if len(bodies) > 1:
        yield f"it has both {' and '.join(bodies)}, and a request has one body"
    if request.upload is not None and not has_files:
        yield "it has a file, and a download sends none"
    form: Mapping[Any, Any] = request.form or {}
    content: Any = request.content
    for name, value in form.items():
        if not isinstance(name, str) or not isinstance(value, str):
            yield f"its form field {excerpt(repr(name), LONGEST_NAME)} is no text"
    if content is not None and not isinstance(content, bytes):
        yield "its content is not bytes"
    if content is not None and "content-type" not in {str(name).lower() for name in request.headers or ()}:
        yield "it has content, and no Content-Type among its headers"


def _bodies(request: ApiRequest) -> list[str]:
    bodies = {"JSON": request.json, "content": request.content, "a file": request.upload}
    found = [name for name, body in bodies.items() if body is not None]
    # A form is a body of its own beside anything but a file, if that is a part of it.
    is_part = found == ["a file"] and request.upload is not None and request.upload.field != ""
    return found if request.form is None or is_part else [*found, "a form"]


def _mistakes_in_headers(headers: Mapping[Any, Any], *, has_body: list[str]) -> Iterator[str]:
    """Never with a header's value, which may be a secret."""
    for name, value in headers.items():
        shown = excerpt(repr(name), LONGEST_NAME)
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            yield f"{shown} is no name of a header"
        elif name.lower() in CLIENT_HEADERS:
            yield f"the header {shown} is not a request's to set"
        elif not isinstance(value, str) or not _VALUE.fullmatch(value):
            yield f"the value of the header {shown} is not one line of visible ASCII"
        elif name.lower() == "content-type" and not {"JSON", "content"} & set(has_body):
            yield "its Content-Type does not belong to JSON or content"
    twice = [name for name, count in Counter(str(name).lower() for name in headers).items() if count > 1]
    if twice:
        yield f"it has the header {twice[0]!r} twice"


def _masked(name: str, value: str) -> str:
    """A header's value; a secret is masked in whatever is logged or raised from now on."""
    if not _SECRET_NAME.search(name) or "idempotency" in name.lower():
        return value
    remember_recent(value)  # a vendor may sign each request with another
    return Secret(value)


class _Request(httpx.Request):
    """A request whose representation has no secret in its URL: error reporters show it."""

    def __repr__(self) -> str:
        return redact(super().__repr__())

"""Problems of single places of a document: a path, headers, holes, a URL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from msgspec import ValidationError, convert

from airflow_provider_batchdl._values.storable import texts
from airflow_provider_batchdl.vendors.declared.calls import FieldName, HeaderName
from airflow_provider_batchdl.vendors.declared.document import Document, Errors, OAuth2
from airflow_provider_batchdl.vendors.declared.templates import NO_HOLE, OPEN, holes, names, without_holes
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url
from airflow_provider_batchdl.vendors.requests import CLIENT_HEADERS

_PATH = re.compile(r"/(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
SHOWN = 60


def of_path(place: str, path: str, allowed: tuple[str, ...], document: Document) -> Iterator[str]:
    """Problems of a path with holes, as those of all places: sentences without their end that begin with the place."""
    whole = without_holes(path, "x")
    if not _PATH.fullmatch(whole) or "//" in whole or any(map(_DOTS.fullmatch, path.split("/"))):
        yield f"{place}: {path[:SHOWN]!r} is no path like '/jobs/{{job.id}}', without query and '..'"
    plain = path.replace("{+", "{")  # a path alone may have a value of several segments
    yield from of_holes(place, plain, allowed, document)


def of_headers(
    place: str, headers: dict[str, str], allowed: tuple[str, ...], document: Document, *, has_json: bool
) -> Iterator[str]:
    """Problems of headers with holes, of a request whose body is JSON or is not."""
    yield from of_keys(place, headers, HeaderName)
    for name, value in headers.items():
        if name.lower() in CLIENT_HEADERS:
            yield f"{place}: {name[:SHOWN]!r} cannot be set here"
        if not value.isascii() or not value.isprintable():
            yield f"{place}.{name[:SHOWN]}: it is not one line of ASCII"
    twice = [name for name, count in Counter(name.lower() for name in headers).items() if count > 1]
    if twice:
        yield f"{place}: {twice[0][:SHOWN]!r} is there twice"
    yield from of_holes(place, headers, allowed, document)
    if not has_json and "content-type" in map(str.lower, headers):
        yield f"{place}: 'Content-Type' can be set for JSON only; a form or a file says its own"


def of_form(place: str, form: dict[str, str], allowed: tuple[str, ...], document: Document) -> Iterator[str]:
    """Problems of the fields of a form, with holes."""
    yield from of_keys(place, form, FieldName)
    yield from of_holes(place, form, allowed, document)


def of_rules(errors: Errors) -> Iterator[str]:
    """Problems of the rules about errors."""
    for number, rule in enumerate(errors.rules):
        if not (rule.status or rule.codes or rule.words or rule.operations) and rule.has is None:
            yield f"errors.rules[{number}]: it has no condition, and would mean every error; say which, as by status"


def of_keys(place: str, members: Iterable[str], kind: Any) -> Iterator[str]:
    """Names that are not of an annotated type. A dictionary's own type of keys is in no schema of msgspec 0.19."""
    for name in members:
        try:
            convert(name, kind)
        except ValidationError:
            yield f"{place}: {name[:SHOWN]!r} is no {kind.__metadata__[0].description}"


def of_url(place: str, url: str) -> Iterator[str]:
    """Problems of a URL for people, which may have holes behind its host."""
    try:
        parts = urlsplit(url)
        base_url(f"{parts.scheme}://{parts.netloc}", "https:")
        good = parts.scheme == "https" and not any(letter.isspace() for letter in url) and url.isprintable()
    except (ValueError, NoBaseUrlError):
        good = False
    if not good:
        yield f"{place}: it needs to be a URL with https"


def of_token(auth: OAuth2, document: Document) -> Iterator[str]:
    """Problems of the place that a client's secret goes to, and of what goes with it."""
    place, url = "auth.token_url", auth.token_url
    yield from of_path("auth.token_path", auth.token_path or "/", (), document)
    yield from of_form("auth.form", auth.form, (), document)
    if auth.base_url_hosts and auth.base_url_pointer is None:
        yield "auth.base_url_hosts: it means nothing without base_url_pointer"
    if url is not None:
        yield from of_url(place, without_holes(url, "x"))
        yield from of_holes(place, url, (), document)
        yield from of_shown(place, url, document)
        if auth.token_path is not None or {"?", "#"} & set(url):
            yield f"{place}: it stands instead of token_path, and has no query"


def of_shown(place: str, value: str | None, document: Document) -> Iterator[str]:
    """Problems of a text that is shown to people and stored: it has no secret in it."""
    for hole in holes(value):
        member = document.extra.get(hole.removeprefix("extra."))
        if member is not None and member.secret:
            yield f"{place}: {{{hole[:SHOWN]}}} is secret, and cannot be shown"


def of_holes(place: str, value: object, allowed: tuple[str, ...], document: Document) -> Iterator[str]:
    """Problems of the holes in a text, or in the texts of JSON."""
    for text in texts(value):
        if odd := NO_HOLE.search(text):
            shown = text[odd.start() :][:SHOWN]
            yield f"{place}: {shown!r} is no hole: one is like {{job.id}}, without blanks, signs and further braces"
    for name in names(value):
        if any(holes(name)):
            yield f"{place}: {name[:SHOWN]!r} is a name, and holes are in values only"
    for hole in holes(value):
        group, _, name = hole.partition(".")
        known = hole in allowed or (group == "request" and name and "request" in allowed)
        if known or (group == "extra" and name in document.extra):
            continue
        if group == "extra" and name:
            yield f"{place}: {{{hole[:SHOWN]}}} is no member that [extra] names"
        else:
            # A group that takes any name is shown as such.
            there = [f"{{{each}}}" for each in (*allowed, *(f"extra.{each}" for each in document.extra))]
            if "request" in allowed:
                there.append("{request.NAME}")
            shown = f"only {', '.join(there)}" if there else "and no other"
            also = ". Write '{ name }' for braces" if group not in (*OPEN, "job", "file") else ""
            yield f"{place}: there is no hole {{{hole[:SHOWN]}}} here, {shown}{also}"

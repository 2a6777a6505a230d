"""No secret passes the redactor in any form it takes, and what is no secret stays readable."""

from __future__ import annotations

import base64
import json
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl import redaction
from airflow_provider_batchdl.redaction import MASK, RedactingFilter, forms, get_logger, redact, redact_url, remember


@pytest.fixture(autouse=True)
def blank() -> Iterator[None]:
    """No secret known from other tests, and none left to them."""
    with patch.dict(redaction._known, clear=True), patch.object(redaction, "on_new_secret", []):
        yield


# No "*": next to a mask it makes stars of which nobody could tell whose they are.
secrets = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=6, max_size=40)
around = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def wire_forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        base64.b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
    ]


@given(secrets, around, around)
def test_a_remembered_secret_survives_in_no_form(secret: str, before: str, after: str) -> None:
    with patch.dict(redaction._known, clear=True):
        remember(secret)
        for form in wire_forms(secret):
            shown = redact(f"{before}{form}{after}")
            # A secret may be a part of its own surroundings; what must not be there is one more.
            assert form not in shown or form in redact(before) + redact(after) or form in before + after


@given(secrets, st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), max_size=12))
def test_not_even_inside_basic_credentials(secret: str, user: str) -> None:
    with patch.dict(redaction._known, clear=True):
        remember(secret)
        encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
        shown = redact(f"seen: {encoded}!")
        left = shown.removeprefix("seen: ").removesuffix("!").rpartition(MASK)
        # At most the letters at the edges, which hold bits of the neighbours too, are left of it.
        assert MASK in shown
        assert len(left[0]) <= len(f"{user}:".encode()) * 4 / 3 + 1
        assert len(left[2].rstrip("=")) <= 1


@given(secrets)
def test_every_url_that_holds_it_is_masked(secret: str) -> None:
    with patch.dict(redaction._known, clear=True):
        remember(secret)
        url = str(httpx.URL("https://h.example/p", params={"api_key": secret, "page": "2"}))
        for text in (url, f"GET {url}", f"/p?{urlencode({'k': secret})} HTTP/1.1", repr(url)):
            shown = redact(text)
            assert not any(form in shown for form in wire_forms(secret) if len(form) > 5)


def test_forms_of_an_ordinary_key_are_few() -> None:
    """Each is looked for in every line that is logged."""
    assert len(forms("rb_0123456789abcdef0123456789abcdef")) <= 6
    assert forms("rb_0123456789abcdef")[0] == "rb_0123456789abcdef"


@pytest.mark.parametrize("secret", [None, "", "abcd"])
def test_too_short_to_be_a_secret(secret: str | None) -> None:
    remember(secret)
    assert redact("an abcd is no secret") == "an abcd is no secret"


def test_a_secret_with_a_lone_surrogate_is_no_crash() -> None:
    remember("key-\udcff-end")
    assert redact("x key-\udcff-end x") == f"x {MASK} x"


def test_the_longer_secret_goes_first() -> None:
    remember("abcdef")
    remember("abcdefghij")
    assert redact("abcdefghij") == MASK


def test_listeners_hear_each_form_once_and_late_ones_catch_up() -> None:
    early: list[str] = []
    late: list[str] = []
    redaction.on_new_secret.append(early.append)
    remember("secret #1")
    redaction.on_new_secret.append(late.append)
    remember("secret #1")
    remember("secret #1")
    assert early == late == forms("secret #1")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # URLs: names stay, values go.
        ("see https://h/p?a=b&token=xyz#frag now", "see https://h/p?a=***&token=*** now"),
        ("https://user:pass@host:8080/x", "https://***@host:8080/x"),
        ("https://user:p@ss@host/x", "https://***@host/x"),
        ("HTTPS://h/?Sig=AbC", "HTTPS://h/?Sig=***"),
        ("https://h/cb#access_token=abcdef", "https://h/cb"),
        ("https://h/p?flag", "https://h/p?flag"),
        ("https://h/p?a==b=", "https://h/p?a=***"),
        # Bare targets, as HTTP libraries log them.
        ('"GET /v1/credits?api_key=pf_1 HTTP/1.1" 200', '"GET /v1/credits?api_key=*** HTTP/1.1" 200'),
        ("url='/o?X-Amz-Signature=ab&X-Amz-Date=1'", "url='/o?X-Amz-Signature=***&X-Amz-Date=***'"),
        # Headers in their spellings.
        ("Authorization: Bearer abc123", "Authorization: ***"),
        ("authorization: Token abcdef", "authorization: ***"),
        ("Proxy-Authorization: Basic dXNlcjpwYXNz", "Proxy-Authorization: ***"),
        ("{'x-key': 'rb_1'}", "{'x-key': '***'}"),
        ('{"X-Batch-Project": "project_1"}', '{"X-Batch-Project": "***"}'),
        ('"{\\"x-key\\": \\"rb_1\\"}"', '"{\\"x-key\\": \\"***\\"}"'),
        (
            "[(b'Authorization', b'Bearer abc123'), (b'Accept', b'*')]",
            "[(b'Authorization', b'***'), (b'Accept', b'*')]",
        ),
        ("Cookie: a=bbbb; session=cccc", "Cookie: ***"),
        ("(b'Set-Cookie', b'sid=1; Path=/; HttpOnly')", "(b'Set-Cookie', b'***')"),
        # Members of bodies.
        ('{"access_token": "abc", "expires_in": 7200}', '{"access_token": "***", "expires_in": 7200}'),
        ("grant_type=x&client_secret=abc&client_id=me", "grant_type=x&client_secret=***&client_id=me"),
        ("x-amz-security-token=AbC&x=1", "x-amz-security-token=***&x=1"),
        ("uses Bearer abc.def-123", "uses Bearer ***"),
        # What is none: the vendors' own words above all.
        ("Missing or invalid bearer token", "Missing or invalid bearer token"),
        ("The header X-Batch-Project is missing", "The header X-Batch-Project is missing"),
        ("unknown x-key, try another", "unknown x-key, try another"),
        ("The Rest API Key is not valid for this project", "The Rest API Key is not valid for this project"),
        ("Why? Because 1 = 1.", "Why? Because 1 = 1."),
        ("/bulk_api/jobs/ed49987b-6539-4e9e-8a63-2bcd811ef0ec", "/bulk_api/jobs/ed49987b-6539-4e9e-8a63-2bcd811ef0ec"),
    ],
)
def test_places_where_secrets_stand(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.text("abc123+/=%@:", min_size=1), min_size=1))
def test_query_names_stay_and_values_go(query: dict[str, str]) -> None:
    url = f"https://h.example/some/path?{urlencode(query)}"
    assert redact(f"<{url}>") == "<https://h.example/some/path?" + "&".join(f"{name}=***" for name in query) + ">"
    assert redact_url(url + "#part") == redact_url(url)


@given(st.text(max_size=300))
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


MEGABYTE = 1_000_000
EVIL = [
    "-/", "/", "?", "?a", "=", "&", "?=", "://", "http://", "https://a@", "@", "a=&", "cookie ", "cookie:", "x-key",
    "authorization ", "authorization:", "bearer ", "Bearer a", "sig=", "api_key :", '\\"', "'", '"', "a", " ", "\n",
    "signature", "set-cookie'", "client_secret\\",
]  # fmt: skip


@pytest.mark.parametrize("piece", EVIL, ids=repr)
def test_long_texts_take_linear_time(piece: str) -> None:
    """A megabyte in seconds on the slowest machine; a quadratic pattern would take hours."""
    remember("some-secret-0815")
    text = piece * (MEGABYTE // len(piece)) + "some-secret-0815"
    began = time.process_time()
    shown = redact(text)
    assert "0815" not in shown
    assert time.process_time() - began < 20


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def heard() -> Iterator[tuple[logging.Logger, Heard]]:
    logger, handler = get_logger("tests.redaction"), Heard()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger, handler
    logger.removeHandler(handler)


def test_a_log_line_is_redacted_with_its_arguments(heard: tuple[logging.Logger, Heard]) -> None:
    logger, handler = heard
    remember("hush-hush-9")
    logger.info("key %s, url %s", "hush-hush-9", "https://h/?k=v")
    assert handler.texts == ["key ***, url https://h/?k=***"]


def test_a_logged_traceback_is_redacted(heard: tuple[logging.Logger, Heard]) -> None:
    logger, handler = heard
    remember("hush-hush-9")
    try:
        raise ValueError("hush-hush-9")
    except ValueError:
        logger.exception("It failed")
    assert "Traceback" in handler.texts[0]
    assert "ValueError: ***" in handler.texts[0]
    assert "hush-hush-9" not in handler.texts[0]


@pytest.mark.parametrize("arguments", [("hush-hush-9", "surplus"), ({"a": "hush-hush-9"}, 1)])
def test_a_wrong_log_call_breaks_nothing_and_shows_nothing(
    heard: tuple[logging.Logger, Heard], arguments: tuple[Any, ...]
) -> None:
    logger, handler = heard
    remember("hush-hush-9")
    logger.info("one %d", *arguments)
    assert "hush-hush-9" not in handler.texts[0]
    assert "one" in handler.texts[0]


def test_exc_info_without_an_exception_is_fine() -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, "m", None, (None, None, None))
    assert RedactingFilter().filter(record)
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize(
    "name",
    ["httpx", "httpcore.http11", "httpcore.connection", "httpcore.proxy", "httpcore.socks", "urllib3.connectionpool",
     "urllib3.poolmanager", "urllib3.util.retry"],
)  # fmt: skip
def test_loggers_of_the_http_libraries_have_the_filter(name: str) -> None:
    assert sum(isinstance(each, RedactingFilter) for each in logging.getLogger(name).filters) == 1
    assert get_logger(name) is logging.getLogger(name)
    assert sum(isinstance(each, RedactingFilter) for each in logging.getLogger(name).filters) == 1

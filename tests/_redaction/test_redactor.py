"""No secret passes the redactor in any form it takes, and what is no secret stays readable."""

from __future__ import annotations

import base64
import html
import itertools
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_batchdl._redaction import redactor
from airflow_provider_batchdl._redaction.redactor import (
    RedactingFilter,
    excerpt,
    get_logger,
    redact,
    redact_url,
    remember,
)
from airflow_provider_batchdl._redaction.secret_places import MASK, signatures
from airflow_provider_batchdl._redaction.spellings import forms
from airflow_provider_batchdl.exceptions import BatchDlError


@pytest.fixture(autouse=True)
def blank() -> Iterator[None]:
    """No secret known from other tests, and none left to them."""
    with patch.dict(redactor._known, clear=True), patch.object(redactor, "on_new_secret", []):
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
    with patch.dict(redactor._known, clear=True):
        remember(secret)
        for form in wire_forms(secret):
            shown = redact(f"{before}{form}{after}")
            # A secret may be a part of its own surroundings; what must not be there is one more.
            assert form not in shown or form in redact(before) + redact(after) or form in before + after


@given(secrets, st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), max_size=12))
def test_not_even_inside_basic_credentials(secret: str, user: str) -> None:
    with patch.dict(redactor._known, clear=True):
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
    with patch.dict(redactor._known, clear=True):
        remember(secret)
        url = str(httpx.URL("https://h.example/p", params={"api_key": secret, "page": "2"}))
        for text in (url, f"GET {url}", f"/p?{urlencode({'k': secret})} HTTP/1.1", repr(url)):
            shown = redact(text)
            assert not any(form in shown for form in wire_forms(secret) if len(form) > 5)


KEY = 'rb/9f+Ua&<Q"0"é 😀\'=%41\\n-37c0ffee'


def as_json(text: str, upper: bool = False) -> str:
    """Every character escaped, as some encoders do."""
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(f"\\u{code:04X}" if upper else f"\\u{code:04x}" for code in codes)


def each_byte(text: str, form: str) -> str:
    return "".join(form.format(byte) for byte in text.encode())


ENCODERS: dict[str, Any] = {
    "as it is": str,
    "json": lambda text: json.dumps(text)[1:-1],
    "json of json": lambda text: json.dumps(json.dumps(text))[1:-1],
    "json of json of json": lambda text: json.dumps(json.dumps(json.dumps(text)))[1:-1],
    "PHP's json": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "Go's json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1]
    .replace("&", r"\u0026")
    .replace("<", r"\u003c"),
    "json, every letter": as_json,
    "json, every letter, upper": lambda text: as_json(text, upper=True),
    "html": html.escape,
    "html of html": lambda text: html.escape(html.escape(text)),
    "html, decimal": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "html, hex": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "html, HEX": lambda text: "".join(f"&#X{ord(letter):04X};" for letter in text),
    "html, named": lambda text: text.replace("&", "&amp;").replace("/", "&sol;").replace("+", "&plus;"),
    "url": lambda text: quote(text, safe=""),
    "url, in part": lambda text: quote(text, safe="/+&='"),
    "url, lower": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text, safe="")),
    "url, every letter": lambda text: each_byte(text, "%{:02x}"),
    "url, every letter, twice": lambda text: quote(each_byte(text, "%{:02x}")),
    "form": quote_plus,
    "url of url": lambda text: quote(quote(text, safe=""), safe=""),
    "url of url of url": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "url in json": lambda text: json.dumps(quote(text, safe=""))[1:-1],
    "json in url": lambda text: quote(json.dumps(text)[1:-1]),
    "json in html": lambda text: html.escape(json.dumps(text)),
    "html in PHP's json": lambda text: json.dumps(html.escape(text))[1:-1].replace("/", r"\/"),
    "html in url in json": lambda text: json.dumps(quote(html.escape(text)))[1:-1],
    "json in url in html": lambda text: html.escape(quote(json.dumps(text)[1:-1], safe="&")),
    "JavaScript's escape()": lambda text: "".join(f"%u{ord(sign):04x}" if sign < "\uffff" else sign for sign in text),
    "repr": lambda text: repr(text)[1:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in json": lambda text: base64.b64encode(text.encode()).decode().replace("/", r"\/"),
    "base64 in a url": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "base64 of user and key": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "hex of user and key": lambda text: f"me:{text}".encode().hex(),
    "hex, in pairs": lambda text: text.encode().hex(" "),
    "upper case": str.upper,
    "lower case": str.lower,
    "upper case in a url": lambda text: quote(text.upper(), safe=""),
    "base64, in lines": lambda text: base64.encodebytes(text.encode() * 1).decode(),
    "blanks normalised": lambda text: " ".join(text.replace(" ", " \t\n ").split()),
    "blanks hardened": lambda text: text.replace(" ", "\xa0"),
    "wrapped": lambda text: text[:20] + "\n    " + text[20:],
}  # fmt: skip


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize(
    "key", [KEY, "rb_0123456789abcdef0123456789abcdef01", "eyJhbGciOiJIUzI1NiJ9." + "aZ09-_" * 200]
)
def test_no_spelling_of_a_secret_passes(encode: Callable[[str], str], key: str) -> None:
    remember(key)
    for text in ("{}", "before {} after", '{{"message": "your key is {}, isn\'t it"}}', "<p>{}</p>", "100%{}\\"):
        shown = redact(text.format(encode(key)))
        assert MASK in shown
        # Of base64, letters at the edges hold bits of the neighbours too.
        assert len(shown) <= len(text) + len(MASK) + 16, shown


@pytest.mark.parametrize("upto", [10, 16, 25, 36])
@pytest.mark.parametrize("end", ["", "…", "...", " is unknown", '"', "***", "&page=2", "</p>"])
def test_a_secret_that_somebody_else_has_cut(upto: int, end: str) -> None:
    key = "rb_0123456789abcdef0123456789abcdef01"
    remember(key)
    for spell in (str, lambda text: quote(as_json(text))):
        assert redact(f"invalid key {spell(key[:upto])}{end}") == f"invalid key {MASK}{end}"


@pytest.mark.parametrize("since", [1, 12, 21])
@pytest.mark.parametrize("start", ["", "…", "...", "***", "page=2&k="])
def test_a_secret_that_was_cut_at_its_start(since: int, start: str) -> None:
    key = "rb_0123456789abcdef0123456789abcdef01"
    remember(key)
    for spell in (str, lambda text: quote(as_json(text))):
        assert redact(f"invalid key {start}{spell(key[since:])}, or none") == f"invalid key {start}{MASK}, or none"


@pytest.mark.parametrize(
    "text", ["password is information", "the inform", "no informality", "information202 is another", "informational…"]
)
def test_a_word_that_begins_like_a_secret_stays(text: str) -> None:
    remember("information2024!")
    if "202" in text:
        assert redact(text) == f"{MASK} is another"
    else:
        assert redact(text) == text


@pytest.mark.parametrize("secret", ["Apple1", "Administrator", "Straße-Ünlü"])
def test_a_secret_that_may_be_a_word_is_found_as_it_is_written_only(secret: str) -> None:
    remember(secret)
    assert redact(f"the {secret} is") == f"the {MASK} is"
    assert redact(f"the {secret.lower()} is") == f"the {secret.lower()} is"


def test_letters_that_grow_in_lower_case_shift_no_mask() -> None:
    remember("rb_0123456789abcdef")
    assert redact("\u0130\u0130 RB_0123456789ABCDEF \u0130") == f"\u0130\u0130 {MASK} \u0130"
    remember("schl\u00fcssel-0815")
    assert redact("\u0130 SCHL\u00dcSSEL-0815") == f"\u0130 {MASK}"


def test_an_escape_at_the_edge_hides_no_secret() -> None:
    remember("n0_such_secret_41")
    for text in (r"C:\n0_such_secret_41", "%n0_such_secret_41", "&n0_such_secret_41;", "%2n0_such_secret_41"):
        assert "such" not in redact(text), text


def test_what_is_masked_is_the_secret_and_no_more() -> None:
    remember("rb_0123456789abcdef")
    assert redact(r'{"a": "\u00e9t\u00e9 rb_0123456789\u0061bcdef & \/"}') == r'{"a": "\u00e9t\u00e9 *** & \/"}'
    assert redact("caf%C3%A9%20rb%5F0123456789abcdef%20caf%C3%A9") == "caf%C3%A9%20***%20caf%C3%A9"


JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0" * 100 + "." + "s1gN-_" * 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"token {JWT} expired", "token *** expired"),
        (f"'{JWT[:60]}", "'***"),
        (f"Bearer {JWT}", "Bearer ***"),
        ("Bearer  abcDefgh", "Bearer  ***"),
        (r"Bearer\u0020" + JWT, r"Bearer\u0020***"),
        ("Bearer%20abc123", "Bearer%20***"),
        # A signed URL in JSON, in a query, in both.
        (
            r"https:\/\/b.example\/k?X-Amz-Date=1\u0026X-Amz-Signature=ab\u0026x=y",
            r"https:\/\/b.example\/k?X-Amz-Date=***",
        ),
        ("/p?url=https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3Dab", "/p?url=***"),
        ("see https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3Dab%26a", "see https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3D***%26a"),
        ("https%253A%252F%252Fb%252Fk%253Fsig%253Dab", "https%253A%252F%252Fb%252Fk%253Fsig%253D***"),
        ("https://b/k?sv=1&amp;sig=ab%2B", "https://b/k?sv=***&amp;sig=***"),
        ("sig=" + "a" * 5000, "sig=***"),
    ],
    ids=lambda text: text[:30],
)
def test_places_where_secrets_stand_however_escaped(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_an_excerpt_ends_within_no_secret() -> None:
    remember("rb_0123456789 abcdef0123456789abcdef01")
    spellings: list[Callable[[str], str]] = [str, as_json, quote, html.escape]
    for spell, room in itertools.product(spellings, range(1, 70)):
        words = excerpt(f"your key\n{spell('rb_0123456789 abcdef0123456789abcdef01')} is not valid", room)
        assert len(words) <= room
        assert words.startswith("your key *** is not valid"[: room - 1])


def test_an_excerpt_of_a_long_text_ends_before_a_half_secret() -> None:
    for room in range(20):
        tokens = (f"{JWT[:1000]} " * 100)[: redactor.LONGEST_TEXT - room]
        assert "hush" not in excerpt(f"{tokens} https://me:{'hush' * 9}@h/", 2_000)


class Wordless:
    """Fails where it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


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
    redactor.on_new_secret.append(early.append)
    remember("secret #1")
    redactor.on_new_secret.append(late.append)
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
        ("by socks5://me:p@ss@host:1080, redis://:pass@host/0", "by socks5://***@host:1080, redis://***@host/0"),
        ("s3://aws_conn@bucket/key:1, file:///dag::a@b", "s3://aws_conn@bucket/key:1, file:///dag::a@b"),
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


@example({"to": "://", "b": ":", "c": "@"})
@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.text("abc123+/=%@:", min_size=1), min_size=1))
def test_query_names_stay_and_values_go(query: dict[str, str]) -> None:
    url = f"https://h.example/some/path?{urlencode(query)}"
    assert redact(f"<{url}>") == "<https://h.example/some/path?" + "&".join(f"{name}=***" for name in query) + ">"
    assert redact_url(url + "#part") == redact_url(url)


@given(st.text(max_size=300))
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


LONG = 200_000
EVIL = [
    "-/", "/", "?", "?a", "=", "&", "?=", "://", "http://", "https://a@", "@", "a=&", "cookie ", "cookie:", "x-key",
    "authorization ", "authorization:", "bearer ", "Bearer a", "sig=", "api_key :", '\\"', "'", '"', "a", " ", "\n",
    "-eyJaaaaa", "_eyJ.aaaaa", "signature", "set-cookie'", "client_secret\\",
]  # fmt: skip


@pytest.mark.parametrize("piece", EVIL, ids=repr)
def test_long_texts_take_linear_time(piece: str) -> None:
    """Less than seconds on the slowest machine; a quadratic pattern would take many minutes."""
    remember("some-secret-0815")
    text = piece * (LONG // len(piece)) + "some-secret-0815"
    began = time.process_time()
    shown = redact(text)
    assert "0815" not in shown
    assert time.process_time() - began < 20


@pytest.mark.parametrize("piece", ["sig", "key", "auth-", "a"])
def test_signatures_of_a_long_link_take_linear_time(piece: str) -> None:
    began = time.process_time()
    assert not list(signatures("https://h/?" + piece * (LONG // len(piece))))
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


def test_a_traceback_is_redacted_in_airflows_log_too(heard: tuple[logging.Logger, Heard]) -> None:
    """Its formatter takes the exception itself, notes and causes included, not the text made of it."""
    structlog = pytest.importorskip("structlog")
    logger, handler = heard
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # as Airflow has it
    steps = [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer(default=str)]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=steps))
    remember("hush-hush-9")
    cause = KeyError("https://h/?X-Amz-Signature=0123456789")
    cause.add_note("hush-hush-9")
    try:
        try:
            raise cause
        except KeyError as error:
            raise ValueError("hush-hush-9") from error
    except ValueError:
        logger.exception("It failed")
    assert "hush-hush-9" not in handler.texts[0]
    assert "0123456789" not in handler.texts[0]
    shown = json.loads(handler.texts[0])["exception"]
    assert [(each["exc_type"], each["exc_value"]) for each in shown] == [
        ("ValueError", MASK),
        ("KeyError", f"'https://h/?X-Amz-Signature={MASK}'"),
    ]
    assert shown[0]["frames"]


@pytest.mark.parametrize("arguments", [("hush-hush-9", "surplus"), ({"a": "hush-hush-9"}, 1)])
def test_a_wrong_log_call_breaks_nothing_and_shows_nothing(
    heard: tuple[logging.Logger, Heard], arguments: tuple[Any, ...]
) -> None:
    logger, handler = heard
    remember("hush-hush-9")
    logger.info("one %d", *arguments)
    assert "hush-hush-9" not in handler.texts[0]
    assert "one" in handler.texts[0]


@pytest.mark.parametrize("arguments", [(Wordless(),), ({"a": Wordless()},), (Wordless(), Wordless()), ([Wordless()],)])
@pytest.mark.parametrize("message", ["it is %s", "it is %r", Wordless()])
def test_what_cannot_be_shown_breaks_no_log_line(
    heard: tuple[logging.Logger, Heard], message: Any, arguments: tuple[Any, ...]
) -> None:
    logger, handler = heard
    logger.info(message, *arguments)
    assert len(handler.texts) == 1


def test_nor_an_exception_that_cannot_be_shown(heard: tuple[logging.Logger, Heard]) -> None:
    class WordlessError(Wordless, Exception):
        pass

    logger, handler = heard
    try:
        raise WordlessError("x")
    except WordlessError:
        logger.exception("It failed")
    assert "It failed" in handler.texts[0]
    assert "WordlessError" in handler.texts[0]
    error = BatchDlError(Wordless(), vendor_message=Wordless())  # type: ignore[arg-type]
    assert str(error)
    assert "Wordless" in error.message


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


def test_what_is_logged_as_extra_is_redacted(heard: tuple[logging.Logger, Heard]) -> None:
    logger, handler = heard
    remember("some-secret-0815")
    handler.setFormatter(logging.Formatter("%(message)s %(why)s %(count)s"))
    logger.warning("no", extra={"why": ValueError("some-secret-0815"), "count": 3})
    assert handler.texts == [f"no {MASK} 3"]

"""What a connection's host field means, and what an account gives away."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.vendors.account import Account, base_url, origin

DEFAULT = "https://api.example/v1"


@pytest.mark.parametrize(
    ("host", "schema", "port", "url"),
    [
        (None, None, None, DEFAULT),
        ("", None, None, DEFAULT),
        ("  ", None, None, DEFAULT),
        (None, None, 8443, "https://api.example:8443/v1"),
        ("h.example", None, None, "https://h.example"),
        ("h.example", "http", None, "http://h.example"),
        ("h.example", "HTTP", None, "http://h.example"),
        ("h.example", "https", 8443, "https://h.example:8443"),
        ("h.example", "ftp", None, "https://h.example"),
        ("h.example", "", 0, "https://h.example"),
        ("h.example:81", "http", 82, "http://h.example:81"),
        ("h.example/a/b/", None, None, "https://h.example/a/b"),
        (" https://h.example/a// ", None, None, "https://h.example/a"),
        ("HTTP://h.example", "https", None, "http://h.example"),
        ("https://h.example", "http", None, "https://h.example"),
        ("https://h.example/", None, 444, "https://h.example:444"),
        ("http://[::1]:8080/x", None, None, "http://[::1]:8080/x"),
        ("[::1]", "http", 8080, "http://[::1]:8080"),
        ("http://127.0.0.1", None, None, "http://127.0.0.1"),
        ("bücher.example", None, None, "https://bücher.example"),
        ("https://h.example/?", None, None, "https://h.example"),
    ],
)
def test_forms_of_a_host(host: str | None, schema: str | None, port: int | None, url: str) -> None:
    assert base_url(host, DEFAULT, schema=schema, port=port) == url


@pytest.mark.parametrize(
    "host",
    [
        "https://user:pass@h.example", "user@h.example", "https://h.example@evil.example", "ftp://h.example",
        "file:///etc/passwd", "https://", "https:///path", "https://h.example?a=b", "h.example?a=b",
        "https://h.example/#x", "https://h:port", "https://h:99999", "https://[::1", "::1", "mailto:x@y.example",
        "h.example/a b", "h.exa\tmple", "https://h.example\n.evil.example", "https://h.example\\@evil.example",
        "https://h.example\\evil", "https://a..b", "https://" + "a" * 64 + ".example", "javascript:alert(1)",
        "https://h.example\x00", "//h.example://x",
    ],
)  # fmt: skip
def test_what_is_no_base_url(host: str) -> None:
    with pytest.raises(InvalidRequestError, match="not a base URL") as caught:
        base_url(host, DEFAULT)
    assert "pass" not in str(caught.value)  # nor what stands in it


@given(st.text(max_size=60), st.none() | st.text(max_size=6), st.none() | st.integers(0, 65535))
def test_any_host_is_a_url_or_refused(host: str, schema: str | None, port: int | None) -> None:
    try:
        url = base_url(host, DEFAULT, schema=schema, port=port)
    except InvalidRequestError:
        return
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert not url.endswith("/")
    assert "@" not in parts.netloc
    assert base_url(url, DEFAULT) == url
    assert origin(url) == origin(url + "/x?y")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://h.example/a", "https://H.Example:443/b?c", True),
        ("http://h.example", "http://h.example:80/", True),
        ("https://h.example", "http://h.example", False),
        ("https://h.example", "https://h.example:8443", False),
        ("https://h.example", "https://h.example.evil.example", False),
        ("https://h.example", "https://h.example@evil.example", False),
        ("https://h.example", "https://h.example:x", False),
        ("https://h.example", "https://[::1", False),
        ("https://h.example", "//h.example", False),
        ("https://h.example", "", False),
        ("http://[::1]:80", "http://[::1]", True),
    ],
)
def test_same_origin(one: str, other: str, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


@given(
    st.tuples(
        st.sampled_from(["https://", "http://", "HTTP://", "", "ftp://"]),
        st.text("h.e-:@[]%\\\t\n 18é", max_size=12),
        st.sampled_from(["", "/", "?", "#", "\n", "\\", ":80", ":080", ":99999"]),
        st.text("a/:@?#\n", max_size=6),
    ).map("".join)
)
def test_an_origin_is_what_the_url_parser_says(url: str) -> None:
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme, 0)
        expected = parts.scheme, parts.hostname or "", parts.port or default
    except ValueError:
        expected = "", "", 0
    assert origin(url) == expected


def test_an_account_shows_no_secret_and_tells_it_to_the_redactor() -> None:
    account = Account("https://h.example", "topsecret-0815", login="me", extra={"project_key": "p-4711-key"})
    assert "0815" not in repr(account)
    assert "4711" not in repr(account)
    assert "me" in repr(account)
    assert redact("key topsecret-0815") == "key ***"


def test_fingerprints() -> None:
    def of(base: str = "https://h.example", secret: str = "s", login: str | None = None) -> str:
        return Account(base, secret, login).fingerprint

    others = {of(), of(secret="t"), of(login="s"), of("https://other.example"), of(secret="", login="s")}
    assert len(others) == 5
    assert of() == of()
    assert len(of(secret="odd \udcff key")) == 32


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), ("", None), ("a", "a"), (2.1, "2.1"), (0, "0"), (False, "False")]
)
def test_members_of_the_extra(value: object, text: str | None) -> None:
    assert Account("https://h", extra={"x": value}).text("x") == text
    assert Account("https://h").text("x") is None

"""Whose an origin is, and what an account gives away."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.vendors.account import Account, origin


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

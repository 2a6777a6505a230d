"""Known places of secrets in URLs, headers and bodies."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from urllib.parse import unquote

from airflow_provider_batchdl._redaction.spellings import folded

MASK = "***"
Finding = tuple[int, int, str]
"""From, to, and what to show instead."""

# Each pattern below reads a text once: none may start a long match at every other character. Each begins with a
# character that it looks for: one that begins with "\b", or is to match in any case, is tried at every character, ten
# times as slow. All but the last two are for a text that is folded.


def _any_of(*names: str) -> str:
    """One of these words, at its start."""
    return "|".join(rf"{name}(?<!\w{name})" for name in names)


_URL = re.compile(rf"(?:{_any_of('http')})s?://[^\s'\"<>\\]+")
# To the last "@" before the path, since a careless password holds one too.
_USERINFO = re.compile(r"(?P<name>://)[^/?#\s]*@")
# Of any other scheme, where a user alone is the id of a connection.
_LOGIN = re.compile(r"(?P<name>://)[^/?#\s:@'\"<>]*:[^/?#\s'\"<>]*@")
_QUERY_VALUE = re.compile(r"(?P<name>=)[^&#]+")
# A request line or a bare target as urllib3 and httpcore log it: "/path?api_key=...".
_TARGET_QUERY = re.compile(r"\?(?P<query>[^\s'\"?=<>]+=[^\s'\"<>]+)")
_QUOTE = r"\\?['\"]"
# Between a name and its value: "name: value", "name=value", {"name": "value"}, (b'name', b'value').
_COLON = rf"(?:(?:{_QUOTE})?\s*[:=]|{_QUOTE}\s*,)\s*(?:b?{_QUOTE})?"
_HEADER = re.compile(
    rf"(?P<name>(?:{_any_of('authorization', 'x-key', 'x-api-key', 'x-batch-project')}){_COLON})"
    r"(?:(?:bearer|basic|digest|negotiate|token|apikey)\s+)?[^\s'\",;)}\]\\]+"
)
_COOKIE = re.compile(rf"(?P<name>(?:{_any_of('cookie')}){_COLON})[^'\"\r\n]+")
# With a digit or an inner capital, or too long for a word: "invalid bearer token" is a message, and stays one.
_BEARER = re.compile(
    r"(?P<name>[bB](?<!\w.)(?i:earer)\s+)"
    r"(?:(?=[^\s\d]*\d)[\w\-.~+/=]{5,}|(?=\w*[a-z][A-Z])[\w\-.~+/=]{8,}|[\w\-.~+/=]{20,})"
)
# A JSON object in base64, a dot, and at least the claims. A word without claims is read, too, and only once.
_JWT = re.compile(r"eyJ(?<![A-Za-z0-9]eyJ)[A-Za-z0-9_-]{5,}+(?P<claims>\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3})?")
_SIGNED = [f"x-{store}-{each}" for store in ("amz", "goog") for each in ("signature", "credential", "security-token")]
_PARAMETERS = "api_key", "apikey", "access_token", "refresh_token", "client_secret", "signature", "sig", *_SIGNED
_PAIR = re.compile(
    rf"(?P<name>(?:{_any_of(*_PARAMETERS)})"
    rf"(?:{_QUOTE})?\s*[=:]\s*(?:{_QUOTE})?)[^\s&'\",;)}}\]\\]+"
)
# Without one of these in it, folded, a text has nothing for the patterns of names and tokens.
_WORDS = ("authorization", "cookie", "x-", "api_key", "apikey", "_token", "client_secret", "sig", "bearer", "eyj")
# Query parameters by whose value alone somebody may read what a URL leads to.
_SIGNATURE = re.compile(
    r"[?&;](?!x-amz-signedheaders)(?=[\w.-]++=)"
    r"(?>[\w.-]*(?:sig|credential|token|secret|passw|key|policy|auth|hash|hmac)[\w.-]*+=)"
    r"(?P<short>[^&#\s'\"]{8,})|[?&;][\w.-]++=(?P<long>[^&#\s'\"]{24,})",
    re.IGNORECASE,
)


def in_places(text: str, low: str, *, original: bool) -> Iterator[Finding]:
    """Values in ``text`` at the known places: user info and query values of URLs, credentials in headers.

    ``low`` is the text folded. In the ``original``, as it was written, a URL's fragment goes, too, without a trace.
    """
    others, at = [], 0
    for url in _URL.finditer(low) if "://" in low else ():
        shift, (bare, mark, _) = url.start(), url[0].partition("#")
        if mark and original:
            yield shift + len(bare), url.end(), ""
        head = bare.partition("?")[0]
        # In a query that was unescaped, what looks like user info may reach from one value to another: they are masked.
        for user in _USERINFO.finditer(bare if original else head):
            yield shift + user.end("name"), shift + user.end() - 1, MASK
        yield from _values(low, shift + len(head), shift + len(bare))
        if not original:
            others += [low[at : shift + len(head)], " " * (len(bare) - len(head))]
            at = shift + len(bare)
    for user in _LOGIN.finditer("".join((*others, low[at:]))) if "://" in low else ():
        yield user.end("name"), user.end() - 1, MASK
    for target in _TARGET_QUERY.finditer(low) if "?" in low else ():
        yield from _values(low, *target.span("query"))
    if any(word in low for word in _WORDS):
        for pattern, read in ((_HEADER, low), (_COOKIE, low), (_PAIR, low), (_BEARER, text)):
            yield from _named(pattern, read)
        yield from ((*found.span(), MASK) for found in _JWT.finditer(text) if found["claims"])


def _values(text: str, start: int, end: int) -> Iterator[Finding]:
    return _named(_QUERY_VALUE, text, start - 1, end)


def _named(pattern: re.Pattern[str], text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[Finding]:
    return ((found.end("name"), found.end(), MASK) for found in pattern.finditer(text, start, end))


def signatures(text: str) -> Iterator[str]:
    """Credentials in the URLs in ``text``: passwords, and the signatures and tokens in their queries."""
    for found_url in _URL.finditer(folded(text)):
        url = text[slice(*found_url.span())]
        for user in _USERINFO.finditer(url):
            yield unquote(user[0].rstrip("@").partition("://")[2].partition(":")[2])
        for found in _SIGNATURE.finditer(url):
            yield from dict.fromkeys((value := found["short"] or found["long"], unquote(value)))

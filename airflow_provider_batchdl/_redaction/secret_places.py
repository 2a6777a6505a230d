"""Known places of secrets in URLs, headers and bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

MASK = "***"
Finding = tuple[int, int, str]
"""From, to, and what to show instead."""

# Each pattern below reads a text once: none may start a long match at every other character.
_URL = re.compile(r"\bhttps?://[^\s'\"<>\\]+", re.IGNORECASE)
# To the last "@" before the path, since a careless password holds one too.
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
# Of any other scheme, where a user alone is the id of a connection.
_LOGIN = re.compile(r"(?<=://)[^/?#\s:@'\"<>]*:[^/?#\s'\"<>]*@")
_QUERY_VALUE = re.compile(r"(?<==)[^&#]+")
# A request line or a bare target as urllib3 and httpcore log it: "/path?api_key=...".
_TARGET_QUERY = re.compile(r"\?(?P<query>[^\s'\"?=<>]+=[^\s'\"<>]+)")
_QUOTE = r"\\?['\"]"
# Between a name and its value: "name: value", "name=value", {"name": "value"}, (b'name', b'value').
_COLON = rf"(?:(?:{_QUOTE})?\s*[:=]|{_QUOTE}\s*,)\s*(?:b?{_QUOTE})?"
_HEADER = re.compile(
    rf"(?P<name>\b(?:(?:proxy-)?authorization|x-key|x-api-key|x-batch-project)\b{_COLON})"
    r"(?:(?:bearer|basic|digest|negotiate|token|apikey)\s+)?[^\s'\",;)}\]\\]+",
    re.IGNORECASE,
)
_COOKIE = re.compile(rf"(?P<name>\b(?:set-)?cookie\b{_COLON})[^'\"\r\n]+", re.IGNORECASE)
# With a digit or an inner capital, or too long for a word: "invalid bearer token" is a message, and stays one.
_BEARER = re.compile(
    r"(?P<name>\b(?i:bearer)\s+)(?:(?=[^\s\d]*\d)[\w\-.~+/=]{5,}|(?=\w*[a-z][A-Z])[\w\-.~+/=]{8,}|[\w\-.~+/=]{20,})"
)
# A JSON object in base64, a dot, and at least the claims; each word is read once.
_JWT = re.compile(
    r"(?<![A-Za-z0-9_-])(?P<name>(?:(?!(?<![A-Za-z0-9])eyJ)[A-Za-z0-9_-])*+)"
    r"eyJ[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}"
)
_PAIR = re.compile(
    r"(?P<name>\b(?:api_?key|(?:access|refresh)_token|client_secret"
    r"|x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig)"
    rf"(?:{_QUOTE})?\s*[=:]\s*(?:{_QUOTE})?)[^\s&'\",;)}}\]\\]+",
    re.IGNORECASE,
)
# Query parameters by whose value alone somebody may read what a URL leads to.
_SIGNATURE = re.compile(
    r"[?&;](?!x-amz-signedheaders)(?=[\w.-]++=)"
    r"(?>[\w.-]*(?:sig|credential|token|secret|passw|key|policy|auth|hash|hmac)[\w.-]*+=)"
    r"(?P<short>[^&#\s'\"]{8,})|[?&;][\w.-]++=(?P<long>[^&#\s'\"]{24,})",
    re.IGNORECASE,
)
_NAMED = (_HEADER, _COOKIE, _PAIR, _BEARER, _JWT)


def in_places(text: str, *, original: bool) -> Iterator[Finding]:
    """Values in ``text`` at the known places: user info and query values of URLs, credentials in headers.

    In the ``original``, as it was written, a URL's fragment goes, too, without a trace.
    """
    for url in _URL.finditer(text):
        shift, (bare, mark, _) = url.start(), url[0].partition("#")
        if mark and original:
            yield shift + len(bare), url.end(), ""
        head = bare.partition("?")[0]
        # In a query that was unescaped, what looks like user info may reach from one value to another.
        for user in _USERINFO.finditer(bare if original else head):
            yield shift + user.start(), shift + user.end() - 1, MASK
        yield from _values(text, shift + len(head), shift + len(bare))
    for user in _LOGIN.finditer(text):
        yield user.start(), user.end() - 1, MASK
    for target in _TARGET_QUERY.finditer(text):
        yield from _values(text, *target.span("query"))
    for pattern in _NAMED:
        yield from ((found.end("name"), found.end(), MASK) for found in pattern.finditer(text))


def _values(text: str, start: int, end: int) -> Iterator[Finding]:
    return ((*value.span(), MASK) for value in _QUERY_VALUE.finditer(text, start, end))


def signatures(text: str) -> Iterator[str]:
    """Credentials in the URLs in ``text``: passwords, and the signatures and tokens in their queries."""
    for url in _URL.finditer(text):
        for user in _USERINFO.finditer(url[0]):
            yield unquote(user[0].rstrip("@").partition(":")[2])
        for found in _SIGNATURE.finditer(url[0]):
            yield from dict.fromkeys((value := found["short"] or found["long"], unquote(value)))

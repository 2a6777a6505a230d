"""Keeping secrets out of everything that is logged or raised.

Two nets: the secrets this process has been told of, in every form they take on the wire, and the places where secrets
are known to stand in URLs and headers, whatever they are.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

MASK = "***"
# Shorter ones would mask parts of ordinary words.
SHORTEST_SECRET = 5

_URL = re.compile(r"\bhttps?://[^\s'\"<>\\]+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/?#@]*@")
_QUERY_VALUE = re.compile(r"(?<==)[^&#]+")
# A request line or a bare target as urllib3 and httpcore log it: "/path?api_key=...".
_TARGET_QUERY = re.compile(r"(?P<path>(?<![\w:/])/[^\s?'\"]*)\?(?P<query>[^\s'\"]+)")
_HEADER = re.compile(
    r"(?P<name>\b(?:authorization|proxy-authorization|x-key|x-api-key|x-batch-project|cookie|set-cookie)\b"
    r"['\"]?\s*[:=,]\s*b?['\"]?)(?P<value>(?:bearer\s+|basic\s+)?[^\s'\",;)}\]]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?<=\bbearer )[\w\-.~+/=]{5,}", re.IGNORECASE)
_PAIR = re.compile(
    r"(?P<name>\b(?:api_?key|access_token|client_secret|x-amz-(?:signature|credential|security-token)|signature|sig)"
    r"['\"]?\s*[=:]\s*['\"]?)(?P<value>[^\s&'\",;)}\]]+)",
    re.IGNORECASE,
)

_known: dict[str, None] = {}
on_new_secret: list[Callable[[str], None]] = []
"""Called with every form of every new secret; the Airflow layer hands them to Airflow's own masker."""


def forms(secret: str) -> list[str]:
    """The ways ``secret`` may stand in a text: as it is, percent-encoded, and in Basic's base64."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return list(dict.fromkeys((secret, quote(secret, safe=""), quote_plus(secret), encoded)))


def remember(secret: str | None) -> None:
    """Mask ``secret`` from now on, wherever a text passes :func:`redact`."""
    if not secret or len(secret) < SHORTEST_SECRET or secret in _known:
        return
    for form in forms(secret):
        _known[form] = None
        for listener in on_new_secret:
            listener(form)


def redact(text: str) -> str:
    """``text`` without secrets: known ones, user info and query values of URLs, credentials in headers."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    text = _URL.sub(lambda match: redact_url(match[0]), text)
    text = _TARGET_QUERY.sub(lambda match: f"{match['path']}?{_QUERY_VALUE.sub(MASK, match['query'])}", text)
    text = _HEADER.sub(lambda match: match["name"] + MASK, text)
    text = _PAIR.sub(lambda match: match["name"] + MASK, text)
    return _BEARER.sub(MASK, text)


def redact_url(url: str) -> str:
    """``url`` with the values of its query, its user info and its fragment masked: names stay, to be of use."""
    url = _USERINFO.sub(f"{MASK}@", url)
    head, mark, query = url.partition("?")
    return head + mark + _QUERY_VALUE.sub(MASK, query.partition("#")[0])


class RedactingFilter(logging.Filter):
    """Rewrites a record's message before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact ``record`` in place and let it pass."""
        record.msg, record.args = redact(record.getMessage()), None
        return True


_filter = RedactingFilter()


def get_logger(name: str) -> logging.Logger:
    """The logger called ``name``, whose records pass the redactor."""
    logger = logging.getLogger(name)
    if _filter not in logger.filters:
        logger.addFilter(_filter)
    return logger


# A logger's filter sees only what is logged to that very logger, so each is named. These print whole URLs.
_TALKATIVE = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.util.retry",
)
for _name in _TALKATIVE:
    get_logger(_name)

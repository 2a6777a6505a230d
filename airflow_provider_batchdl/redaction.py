"""Keeping secrets out of everything that is logged or raised.

Two nets: the secrets this process has been told of, in every form they take on the wire, and the places where secrets
are known to stand in URLs and headers, whatever they are.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from collections.abc import Callable
from urllib.parse import quote, quote_plus

MASK = "***"
# Shorter ones would mask parts of ordinary words.
SHORTEST_SECRET = 5

# Each pattern below reads a text once: none may begin a long match at every other character.
_URL = re.compile(r"\bhttps?://[^\s'\"<>\\]+", re.IGNORECASE)
# To the last "@" before the path, since a careless password holds one too.
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
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
# With a digit, or too long for a word: "invalid bearer token" is a message, and stays one.
_BEARER = re.compile(r"(?<=\bbearer )(?:(?=[^\s\d]*\d)[\w\-.~+/=]{5,}|[\w\-.~+/=]{24,})", re.IGNORECASE)
_PAIR = re.compile(
    r"(?P<name>\b(?:api_?key|(?:access|refresh)_token|client_secret"
    r"|x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig)"
    rf"(?:{_QUOTE})?\s*[=:]\s*(?:{_QUOTE})?)[^\s&'\",;)}}\]\\]+",
    re.IGNORECASE,
)

# Each form of each secret, and how many of the listeners were told of it.
_known: dict[str, int] = {}
# Tokens minted while the process runs, which live for hours: how many use each, and its forms.
_minted: dict[str, tuple[int, list[str]]] = {}
# Of so many minted tokens the listeners hear, and of each only as it is. Airflow's masker never forgets a secret, and
# compiles all that it knows anew with each. A task's process mints one or two; a triggerer, for months, some each day.
MOST_MINTED_TOLD = 20
_minted_told = 0
_lock = threading.Lock()
on_new_secret: list[Callable[[str], None]] = []
"""Called with every form of every new secret, and with the first minted tokens; the Airflow layer hands them to
Airflow's own masker."""


def forms(secret: str) -> list[str]:
    """The ways ``secret`` may stand in a text: as it is, percent-encoded, escaped, and in base64."""
    raw = secret.encode(errors="surrogatepass")
    # What is left as it is differs: by the letter, in forms, in httpx's URLs and in a browser's.
    percent = [quote(raw, safe=""), quote_plus(raw), quote(raw, safe="!$&'()*+,;=:@/?"), quote(raw, safe="!'()*")]
    percent += [re.sub(r"%..", lambda match: match[0].lower(), text) for text in percent]
    escaped = [
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    ]
    found = dict.fromkeys((secret, *percent, *escaped, *_in_base64(raw)))
    return [form for form in found if len(form) >= SHORTEST_SECRET]


def _in_base64(raw: bytes) -> list[str]:
    """``raw`` in base64, alone and inside something longer, as a password stands in Basic's "user:password"."""
    found = []
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found.append(encode(raw).decode().rstrip("="))
        for ahead in range(3):
            # Only characters all of whose bits are the secret's: those at the edges change with the neighbours.
            whole = encode(b"\0" * ahead + raw + b"\0\0").decode()
            found.append(whole[-(-ahead * 8 // 6) : (ahead + len(raw)) * 8 // 6])
    return found


def remember(secret: str | None) -> None:
    """Mask ``secret`` from now on, wherever a text passes :func:`redact`, and tell listeners that do not know it."""
    if not secret or len(secret) < SHORTEST_SECRET:
        return
    for form in forms(secret):
        told, _known[form] = _known.get(form, 0), len(on_new_secret)
        for listener in on_new_secret[told:]:
            listener(form)


def remember_minted(token: str) -> None:
    """Mask ``token`` wherever a text passes :func:`redact`, until :func:`forget`; once for each of these calls."""
    global _minted_told  # noqa: PLW0603 it is the process's, as its masker is
    if len(token) < SHORTEST_SECRET:
        return
    with _lock:
        users, every_form = _minted.get(token, (0, []))
        _minted[token] = users + 1, every_form or forms(token)
        is_told = not users and _minted_told < MOST_MINTED_TOLD
        _minted_told += is_told
    for listener in on_new_secret if is_told else ():
        listener(token)


def forget(token: str) -> None:
    """Undo one :func:`remember_minted`: nobody accepts the token any more."""
    with _lock:
        users, every_form = _minted.pop(token, (0, []))
        if users > 1:
            _minted[token] = users - 1, every_form


def _every_form() -> list[str]:
    with _lock:
        minted = [form for _, every_form in _minted.values() for form in every_form]
    return sorted([*_known, *minted], key=len, reverse=True)


def redact(text: str) -> str:
    """``text`` without secrets: known ones, user info and query values of URLs, credentials in headers."""
    for secret in _every_form():
        if secret in text:
            text = text.replace(secret, MASK)
    text = _URL.sub(lambda match: redact_url(match[0]), text)
    text = _TARGET_QUERY.sub(lambda match: f"?{_QUERY_VALUE.sub(MASK, match['query'])}", text)
    for named in (_HEADER, _COOKIE, _PAIR):
        text = named.sub(lambda match: match["name"] + MASK, text)
    return _BEARER.sub(MASK, text)


def redact_url(url: str) -> str:
    """``url`` without its fragment, the values of its query and its user info masked: names stay, to be of use."""
    url = _USERINFO.sub(f"{MASK}@", url.partition("#")[0])
    head, mark, query = url.partition("?")
    return head + mark + _QUERY_VALUE.sub(MASK, query)


class RedactingFilter(logging.Filter):
    """Rewrites a record's message, and the traceback that goes with it, before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact ``record`` in place and let it pass."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 logging itself would print the arguments as they are, and go on
            text = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(text), None
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            record.exc_text = redact(_FORMATTER.formatException(record.exc_info))
        return True


_FORMATTER = logging.Formatter()
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
    "httpcore.socks",
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)
for _name in _TALKATIVE:
    get_logger(_name)

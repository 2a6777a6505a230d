"""Redactor of everything that is logged or raised.

Two nets: the secrets this process knows, however they are escaped, and the places where secrets are known to stand in
URLs and headers, whatever they are. A text is redacted before it is normalised or cut: of a secret that is cut in two
neither net would know a half.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

from airflow_provider_batchdl._redaction.escapes import levels, without_blanks
from airflow_provider_batchdl._redaction.secret_places import MASK, Finding, in_places, signatures
from airflow_provider_batchdl._redaction.spellings import SHORTEST_SECRET, folded, forms
from airflow_provider_batchdl._values.storable import storable_text, words_of

# Characters of a foreign text that are read to show its start, two thousand at most. A page of a list has hundreds of
# them, which are redacted in one turn of a triggerer's event loop; of the last, nothing is shown of a longer text.
LONGEST_TEXT = 1 << 13
LONGEST_CUT = 256
# As long as this, a secret is found with blanks inside too: where a vendor wrapped or normalised it.
LONGEST_WORD = 16
# A secret's first characters, where a vendor has cut it: from this length on it is checked, from that one masked.
SHORTEST_PART = 8
TELLING_PART = 12


@dataclass(slots=True)
class _Form:
    """One spelling of a secret; ``heard_by`` is how many of the listeners know it.

    With ``folds`` it is found in any case: one that could not be mistaken for a word.
    """

    text: str
    heard_by: int = 0
    head: str = ""
    tail: str = ""
    joined: str = ""
    folds: bool = False

    def __post_init__(self) -> None:
        self.folds = len(self.text) >= SHORTEST_PART and any(letter.isdigit() for letter in self.text)
        self.text = folded(self.text) if self.folds else self.text
        self.head, joined = self.text[:SHORTEST_PART], without_blanks(self.text)
        self.tail = self.text[-LONGEST_WORD:] if len(self.text) > LONGEST_WORD else ""
        if len(joined) >= LONGEST_WORD or SHORTEST_SECRET <= len(joined) < len(self.text):
            self.joined = joined


_known: dict[str, _Form] = {}
# Tokens minted while the process runs, which live for hours: how many use each, and its forms.
_minted: dict[str, tuple[int, list[_Form]]] = {}
# Of so many minted tokens the listeners hear, and of each only as it is. Airflow's masker never forgets a secret, and
# compiles all that it knows anew with each. A task's process mints one or two; a triggerer, for months, some each day.
MOST_MINTED_TOLD = 20
_minted_told = 0
_lock = threading.Lock()
# Secrets of single requests and answers, the oldest first: the next may have others.
_recent: OrderedDict[str, None] = OrderedDict()
MOST_RECENT = 256
_recent_lock = threading.Lock()
on_new_secret: list[Callable[[str], None]] = []
"""Called with every form of every new secret, and with the first minted tokens; the Airflow layer hands them to
Airflow's own masker."""


def remember(secret: str | None) -> None:
    """Mask ``secret`` in every text that passes :func:`redact` from now on, and notify listeners if it is new."""
    if not secret or len(secret) < SHORTEST_SECRET:
        return
    for text in forms(secret):
        form = _known.setdefault(text, _Form(text))
        heard_by, form.heard_by = form.heard_by, len(on_new_secret)
        for listener in on_new_secret[heard_by:]:
            listener(text)


def remember_minted(token: str) -> None:
    """Mask ``token`` wherever a text passes :func:`redact`, until :func:`forget`; once for each of these calls."""
    global _minted_told  # noqa: PLW0603 it is the process's, as its masker is
    if len(token) < SHORTEST_SECRET:
        return
    with _lock:
        users, every_form = _minted.get(token, (0, []))
        _minted[token] = users + 1, every_form or [_Form(text) for text in forms(token)]
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


def remember_recent(token: str) -> None:
    """Mask ``token`` until :data:`MOST_RECENT` others were remembered so: for what comes anew with each message."""
    with _recent_lock:
        if token not in _recent:
            remember_minted(token)
        _recent[token] = None
        _recent.move_to_end(token)
        oldest = _recent.popitem(last=False)[0] if len(_recent) > MOST_RECENT else None
    if oldest is not None:
        forget(oldest)


def remember_link(url: str) -> None:
    """Mask the signature and the tokens of a signed link, as :func:`remember_recent` does, where they stand alone."""
    for secret in signatures(url):
        remember_recent(secret)


def _every_form() -> list[_Form]:
    with _lock:
        return [*_known.values(), *(form for _, every_form in _minted.values() for form in every_form)]


def redact(text: str) -> str:
    """``text`` without secrets: known ones, user info and query values of URLs, credentials in headers."""
    shown, at = [], 0
    for start, end, instead in _merged(sorted(_findings(text), key=lambda found: (found[0], -found[1]))):
        shown += [text[at:start], instead]
        at = end
    return "".join((*shown, text[at:])) if at else text


def redact_url(url: str) -> str:
    """``url`` without its fragment, the values of its query and its user info masked: names stay, to be of use."""
    return redact(url.partition("#")[0])


def redact_value(value: Any) -> Any:
    """Plain JSON with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: redact_value(each) for name, each in value.items()}
    return [redact_value(each) for each in value] if isinstance(value, list | tuple) else value


def beginning(text: str) -> str:
    """The start of a foreign text, redacted. It ends before the place where it was cut: there may be half a secret."""
    shown = redact(text[:LONGEST_TEXT])
    return shown if len(text) <= LONGEST_TEXT else shown[:-LONGEST_CUT]


def excerpt(value: object, longest: int) -> str:
    """The start of a foreign text: redacted, then on one line, then cut to ``longest`` characters."""
    start = beginning(words_of(value))
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in start).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _findings(text: str) -> Iterator[Finding]:
    known = _every_form()
    for view in levels(text):
        low, joined = folded(view.text), view.without_blanks() if known else view
        for start, end, instead in in_places(view.text, low, original=view.below is None):
            yield *view.source(start, end), instead
        texts = {False: (view.text, joined.text), True: (low, low if joined is view else folded(joined.text))}
        for form in known:
            text, text_joined = texts[form.folds]
            if form.head in text:
                yield from ((*view.source(*part), MASK) for part in _parts(text, form.text))
            if form.tail and form.tail in text:
                yield from ((*view.source(*part), MASK) for part in _ends(text, form))
            if form.joined and form.joined in text_joined:
                wholes = re.finditer(re.escape(form.joined), text_joined)
                yield from ((*joined.source(*whole.span()), MASK) for whole in wholes)


def _parts(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Positions in ``text`` of ``secret``, or of its start where it was cut."""
    head = secret[:SHORTEST_PART]
    at = text.find(head)
    while at >= 0:
        end = at + len(commonprefix((text[at : at + len(secret)], secret)))  # noqa: RUF071 by characters, as meant
        found = end == at + len(secret) or _is_cut(text, at, end)
        if found:
            yield at, end
        at = text.find(head, end if found else at + 1)


def _ends(text: str, form: _Form) -> Iterator[tuple[int, int]]:
    """Positions in ``text`` of a secret's end, where its start was cut: as long as no word is."""
    for found in re.finditer(re.escape(form.tail), text):
        before = text[max(0, found.end() - len(form.text)) : found.end()]
        yield found.end() - len(commonprefix((before[::-1], form.text[::-1]))), found.end()  # noqa: RUF071 as above


def _is_cut(text: str, start: int, end: int) -> bool:
    """True if a match of a secret's start is a secret that was cut, not a word that starts alike."""
    length, following = end - start, text[end : end + 3]
    if length >= LONGEST_WORD:
        return True
    random = any(letter.isdigit() for letter in text[start:end])
    if not following or following[0] in "…*" or following == "...":
        return random or length >= TELLING_PART
    return random and not following[0].isalnum()


def _merged(findings: list[Finding]) -> Iterator[Finding]:
    """Findings in order, without those inside others; what overlaps or touches is one."""
    current: Finding | None = None
    for start, end, instead in findings:
        if current is None:
            current = start, end, instead
        elif end <= current[1]:
            continue
        elif start < current[1] or (start == current[1] and instead == current[2]):
            current = current[0], end, MASK if instead or current[2] else ""
        else:
            yield current
            current = start, end, instead
    if current is not None:
        yield current


class RedactingFilter(logging.Filter):
    """Rewrites a record's message, and the traceback that goes with it, before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact ``record`` in place and let it pass."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 logging itself would print the arguments as they are, and continue
            text = " ".join(map(words_of, (record.msg, *_arguments(record.args))))
        # No handler can encode half of a surrogate pair, and Airflow's send what is logged to another process.
        record.msg, record.args = storable_text(redact(text)), None
        for name in vars(record).keys() - _STANDARD:  # what the caller gives as `extra`
            if not isinstance(value := getattr(record, name), int | float | None):
                setattr(record, name, storable_text(redact(words_of(value))))
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            try:
                record.exc_text = storable_text(redact(_FORMATTER.formatException(record.exc_info)))
                shown = _redacted(record.exc_info[1])
                record.exc_info = type(shown), shown, shown.__traceback__  # Airflow's logs format it themselves
            except Exception:  # noqa: BLE001 a traceback shows what is anybody's, too
                record.exc_text = f"{type(record.exc_info[1]).__name__}, whose traceback cannot be shown"
                record.exc_info = None
        return True


def cause_of(error: BaseException) -> BaseException | None:
    """The error that ``error`` came from, as a traceback shows it."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _redacted(error: BaseException) -> BaseException:
    """An error of the same name that says what ``error`` says, redacted, as does what it came from."""
    kind = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
    shown: BaseException = kind(storable_text(redact(words_of(error))))
    for note in getattr(error, "__notes__", ()):
        shown.add_note(storable_text(redact(words_of(note))))
    before = cause_of(error)
    shown.__cause__ = None if before is None else _redacted(before)
    return shown.with_traceback(error.__traceback__)


def _arguments(args: object) -> tuple[object, ...]:
    return args if isinstance(args, tuple) else tuple(args.items()) if isinstance(args, Mapping) else (args,)


_FORMATTER = logging.Formatter()
_STANDARD = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime"))
_filter = RedactingFilter()


def get_logger(name: str) -> logging.Logger:
    """The logger called ``name``, whose records pass the redactor."""
    logger = logging.getLogger(name)
    if _filter not in logger.filters:
        logger.addFilter(_filter)
    return logger


# A logger's filter sees only what is logged to that very logger, so each is named. These print whole URLs.
_TALKATIVE = [
    *("httpx", "google.auth.transport.requests", "google.api_core.retry.retry_base"),
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    *(f"urllib3.{part}" for part in ("connectionpool", "connection", "poolmanager", "response", "util.retry")),
]
for _name in _TALKATIVE:
    get_logger(_name)

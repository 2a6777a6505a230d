"""The vendors' words for a job's state, and those that a connection adds."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import excerpt, get_logger
from airflow_provider_batchdl.jobs import Job, JobState

if TYPE_CHECKING:
    from airflow_provider_batchdl.vendors.account import Account

log = get_logger(__name__)

_LONGEST_WORD = 1_000
_LONGEST_SHOWN = 80
# Which unknown states were logged, and in which hour.
_logged: set[tuple[str, str, int]] = set()
_MOST_LOGGED = 1000
_BETWEEN = re.compile(r"[\s_-]+")
_REMEDY = (
    'Set the connection extra "states" to the vendor\'s words and what they mean, like {"expired": "failed"}; they may '
    f"mean {', '.join(JobState)}."
)


def fold(word: str) -> str:
    """``word`` to compare with: case, blanks around it, and what stands between its parts do not count.

    Only its beginning is read: no vendor's word is longer, and megabytes of one would hold the event loop.
    """
    return _BETWEEN.sub("", word[:_LONGEST_WORD]).casefold()


def is_cancelled(job: Job) -> bool:
    """True for a job that is cancelled, or is being cancelled."""
    return job.state is JobState.CANCELLED or fold(job.vendor_state) == "cancelling"


def problem_of_words(states: Mapping[str, Any]) -> str | None:
    """Problem of a vendor's words for states, an empty one or one of two meanings, in words; None without one."""
    meanings: dict[str, Any] = {}
    for word, state in states.items():
        shown = excerpt(repr(word), _LONGEST_SHOWN)
        if not fold(word):
            return f"the word {shown}, which is empty"
        if meanings.setdefault(fold(word), state) != state:
            return f"{shown} in two spellings, with two meanings"
    return None


def named_states(account: Account, vendor: str) -> dict[str, JobState]:
    """The words that a connection's extra ``states`` names, folded; there it is an object, or its JSON as text."""
    extra: Any = account.extra.get("states")
    if extra is None or extra == "":
        return {}
    try:
        words = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(words, Mapping):
            raise TypeError("it is no object")
        named = {word: JobState(str(state).strip().lower()) for word, state in words.items()}
        if problem := problem_of_words(named):
            raise ValueError(problem)
    except (TypeError, ValueError, RecursionError) as error:
        raise account.wrong("extra field 'states'", f"cannot be used: {error}", _REMEDY, vendor=vendor) from error
    return {fold(word): state for word, state in named.items()}


def log_unknown(vendor: str, label: str, word: str) -> None:
    """Log an unknown vendor state, once an hour."""
    word = excerpt(word, _LONGEST_SHOWN)
    seen = (vendor, word, int(time.monotonic() // 3600))
    if seen in _logged:
        return
    if len(_logged) >= _MOST_LOGGED:
        _logged.clear()
    _logged.add(seen)
    log.warning(
        "%s reports the unknown job state %r; it counts as running. If the job has ended, say so in the "
        'connection\'s extra: {"states": {%s: "failed"}}.',
        label,
        word,
        json.dumps(word),
    )

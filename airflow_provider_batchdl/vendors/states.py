"""The vendors' words for a job's state, and those that a connection adds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.jobs import JobState

_LONGEST_WORD = 1_000
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


def named_states(extra: Any, vendor: str) -> dict[str, JobState]:
    """The words that a connection's extra ``states`` names, folded.

    Args:
        extra: that member; an object, or its JSON as text.
        vendor: the vendor's name, for the error.

    Raises:
        InvalidRequestError: it is no such thing, or names a state that there is not.
    """
    if extra is None or extra == "":
        return {}
    try:
        words = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(words, Mapping):
            raise TypeError("it is no object")
        named: dict[str, JobState] = {}
        for word, state in words.items():
            meant = JobState(str(state).strip().lower())
            if not fold(word) or named.setdefault(fold(word), meant) is not meant:
                raise ValueError(f"the word {word!r} is empty, or means two things")
    except (TypeError, ValueError, RecursionError) as error:
        message = f"The connection's states cannot be used: {error}."
        raise InvalidRequestError(message, vendor=vendor, remedy=_REMEDY) from error
    return named

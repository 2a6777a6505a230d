"""What users may do wrong: each mistake, the message that it gets, the remedy, and when it shows.

A mistake is one :class:`Mistake` in the list ``MISTAKES`` of the file of its area (`options.py`, `destinations.py`,
`connections.py`, `environment.py`, `requests.py`, `inputs.py`, `mapping.py`, `dates.py`, `xcom.py`, `calls.py`)::

    Mistake(
        "sets if_exists to a word that does not exist",   # what the user did, after "A user …"
        lambda desk: desk.parse(if_exists="skpi"),        # how a test does it: see tests/mistakes/desk.py
        PARSE,                                            # when it shows; it also says that nothing was submitted
        ValueError,                                       # the class of the error; None: the task only logs a warning
        "if_exists is …, not 'skpi'.",                    # the message; "…" stands for any text, the rest is exact
        "\"replace\", \"error\" or \"skip\"",             # the remedy, which the same text must hold
    )

`test_mistakes.py` does each one and compares. docs/mistakes.md is written from the same lists by ``make mistakes``,
which is ``python -m tests.mistakes``; a test fails where the page is stale. After a conflict in the page, write it
again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.mistakes.desk import Desk, Shown

__all__ = ["BEFORE_SUBMIT", "BUTTON", "CHECK", "COMMAND", "ENDED", "PARSE", "REFUSED", "Mistake", "When"]


class When(Enum):
    """When a mistake shows, as the page says it."""

    PARSE = "when the DAG is parsed"
    BEFORE_SUBMIT = "before the submit"
    BUTTON = "at the connection's Test button"
    CHECK = "at `airflow batchdl check`"
    COMMAND = "at the command"
    REFUSED = "when the vendor refuses the submit"
    ENDED = "when the job has ended"

    @property
    def submits(self) -> bool:
        """Whether a submit may have been sent by then."""
        return self in (When.REFUSED, When.ENDED)


PARSE, BEFORE_SUBMIT, BUTTON, CHECK, COMMAND, REFUSED, ENDED = When


@dataclass(frozen=True)
class Mistake:
    """One mistake and what comes of it; the fields are explained at the top of this file."""

    did: str
    drive: Callable[[Desk], Shown]
    when: When
    kind: type[BaseException] | None
    says: str
    remedy: str

    def is_said_in(self, text: str) -> bool:
        """Whether the message is part of ``text``, and after its beginning the remedy."""
        found = pattern(self.says).search(text)
        return found is not None and pattern(self.remedy).search(text, found.start()) is not None


def pattern(text: str) -> re.Pattern[str]:
    """What matches ``text``, in which "…" stands for anything within one line."""
    return re.compile(".*?".join(re.escape(part) for part in text.split("…")))

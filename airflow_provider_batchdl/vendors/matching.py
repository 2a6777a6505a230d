"""Finding a submitted job again in a vendor's list, by what was asked for and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

# Their clock and ours may differ by so much, so an equal job from just before a submit may be taken for what it made.
# The ids of the same task's jobs are known (`Submission.earlier`); another's is as good.
CLOCK_TOLERANCE = timedelta(minutes=2)


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 time as an aware datetime; None where it is none. A time without a zone is taken as UTC."""
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def is_echo_of(echoed: object, request: Mapping[str, Any], created: object, since: datetime) -> bool:
    """Whether a listed job is the one submitted.

    Args:
        echoed: the request as the vendor repeats it in its list.
        request: the request as submitted; each of its members must be repeated unchanged.
        created: when the vendor says the job was made.
        since: when we began to submit.
    """
    when = parse_time(created)
    if when is None or when < since - CLOCK_TOLERANCE or not isinstance(echoed, Mapping):
        return False
    # As it went over the wire: a tuple comes back as a list.
    sent: dict[str, Any] = json.loads(json.dumps(dict(request)))
    return bool(sent) and all(echoed.get(name) == value for name, value in sent.items())

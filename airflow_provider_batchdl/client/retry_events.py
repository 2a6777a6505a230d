"""Retry events from the layers without Airflow, for metrics: what is retried, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Reason: TypeAlias = Literal[
    "rate_limited", "server_error", "connect", "timeout", "dropped", "stalled", "expired_link", "other"
]
"""Reason of a retry.

* ``rate_limited``: 429, or the account's own rate limit is used up.
* ``server_error``: 5xx, or another status that says "not now".
* ``connect``: no connection could be made, so nothing was sent.
* ``timeout``: no answer in time.
* ``dropped``: the connection broke, before the answer or within it.
* ``stalled``: a download's bytes stopped coming, or came too slowly.
* ``expired_link``: the store refused the link to a result; the vendor is asked for another.
* ``other``: none of these.
"""


@dataclass(frozen=True)
class Retry:
    """Something is about to be retried: a vendor's request by its operation, or the ``download`` of a result."""

    vendor: str
    operation: str
    reason: Reason


on_retry: list[Callable[[Retry], None]] = []
"""Called with each `Retry`, in the thread or event loop it happens in: listeners must be quick and must not raise."""


def emit_retry(vendor: str | None, operation: str, reason: Reason) -> None:
    """Notify the listeners; arguments as for `Retry`."""
    for listener in on_retry:
        listener(Retry(vendor or "unknown", operation, reason))

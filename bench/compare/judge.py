"""What one run came to, in the words of a table's cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """What was measured of one run.

    Attributes:
        succeeded: Airflow, or the sync, says that all is well.
        tries: tries of all its tasks together, or syncs, but for one that was killed by the scene.
        error: the types of all errors, None where there was none.
        jobs: batches at the vendor.
        cancelled: how many of these were cancelled.
        prompts: requests in the batch.
        right: rows that the engine has and the vendor's result has, with the same text; None where it failed.
        twice: rows that it has a second time.
        same_file: it leaves the vendor's file, byte for byte; None where it leaves rows of its own.
        seen_between: rows under the result's name after a try that failed.
        at_store: requests that reached the other host.
        secrets: how many of these had the key with them.
        requests: requests that reached the vendor and the other host.
        deferred: its wait was in the triggerer.
        largest_message: bytes of the largest message to Airflow's API, and so to its database.
        key_in_airflow: the key was in such a message.
        by_hand: what the harness did in a person's place.
    """

    succeeded: bool
    tries: int
    error: str | None
    jobs: int
    cancelled: int
    prompts: int
    right: int | None
    twice: int
    same_file: bool | None
    seen_between: int
    at_store: int
    secrets: int
    requests: int
    deferred: bool
    largest_message: int
    key_in_airflow: bool
    by_hand: tuple[str, ...] = ()

    @property
    def lost(self) -> int:
        """Rows that are missing while all is said to be well."""
        return self.prompts - self.right if self.succeeded and self.right is not None else 0

    @property
    def orphans(self) -> int:
        """Batches that are paid for and that nothing waits for."""
        return max(0, self.jobs - 1 - self.cancelled)

    @property
    def is_clean(self) -> bool:
        """One batch, all rows once, the key seen nowhere else, and nothing for a person to do."""
        return self.succeeded and not chores(self)


def ended(seen: Seen) -> str:
    """How it ended."""
    if seen.succeeded:
        return "succeeded" if seen.error is None else f"succeeded after {seen.error}"
    return f"failed: {seen.error}"


def jobs(seen: Seen) -> str:
    """How many batches were made."""
    return f"**{seen.jobs}**" if seen.jobs > 1 else str(seen.jobs)


def result(seen: Seen) -> str:
    """Whether the result is right, and in what form."""
    if seen.right is None:
        return "none"
    rows = f"{seen.right:,} of {seen.prompts:,} rows"
    if seen.same_file is None:
        return f"its own rows: {rows}"
    return "yes, the file" if seen.same_file else f"**no**: {rows}"


def lost(seen: Seen) -> str:
    """Rows that are missing, or that came twice."""
    if seen.right is None:
        return "n/a"
    found = [f"**{seen.lost:,}**" if seen.lost else "0"]
    return ", ".join(found + [f"**{seen.twice:,} twice**"] * bool(seen.twice))


def between(seen: Seen) -> str:
    """What a reader found under the result's name between two tries."""
    if seen.tries and seen.seen_between:
        return f"**{seen.seen_between:,} rows**"
    return "nothing"


def secrets(seen: Seen) -> str:
    """What the other host was told."""
    if not seen.at_store:
        return "n/a"
    return f"**the key**, in {seen.secrets} of {seen.at_store} requests" if seen.secrets else "none"


def chores(seen: Seen) -> list[str]:
    """What a person must do, for each thing that was found."""
    found = list(seen.by_hand)
    if seen.orphans:
        found.append(f"find and cancel {seen.orphans} more batch{'es' * (seen.orphans > 1)}, or pay for it")
    if not seen.succeeded:
        found.append("fetch the result by other means" if seen.jobs else "use something else: no batch can be made")
    if seen.lost:
        found.append(f"notice that {seen.lost:,} rows are missing")
    if seen.twice:
        found.append(f"remove {seen.twice:,} rows that are there twice")
    if seen.secrets:
        found.append("replace the key, which another host has")
    return found


COLUMNS: Mapping[str, Callable[[Seen], str]] = {
    "ended": ended,
    "batches made": jobs,
    "result right": result,
    "rows lost": lost,
    "seen between tries": between,
    "secrets at the store": secrets,
    "requests": lambda seen: str(seen.requests),
    "what a person must do": lambda seen: "; ".join(chores(seen)) or "nothing",
}
"""A table's columns, and the cell of each."""

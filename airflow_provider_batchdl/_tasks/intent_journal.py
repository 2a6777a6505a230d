"""The record of a submit's intent: stored right before its first byte is sent, removed if the vendor rejects it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchdl._values import times

if TYPE_CHECKING:
    from airflow_provider_batchdl._tasks.job_record import JobRecord


class IntentJournal:
    """Stores the intent of one submit, as the client reports its progress.

    Args:
        before: the record to restore if the submit is rejected.
        intent: the record of the submit.
        save: stores a record, or raises `StateStoreError`.
        try_save: stores a record and returns whether that succeeded.
    """

    def __init__(
        self,
        before: JobRecord | None,
        intent: JobRecord,
        *,
        save: Callable[[JobRecord], None],
        try_save: Callable[[JobRecord | None], bool],
    ) -> None:
        self.intent = intent
        self._before = before
        self._save = save
        self._try_save = try_save
        self._stored = False

    def sending(self) -> None:
        """Store the intent: the first byte goes next."""
        self._stored = True  # even if it fails: a store may have saved what it did not confirm
        self.intent = replace(self.intent, submitted_at=times.now().isoformat())
        self._save(self.intent)

    def turned_away(self) -> None:
        """Restore the record from before: the vendor has certainly not accepted the submit."""
        if self._stored:
            self._stored = not self._try_save(self._before)

"""A task instance's record of its job in a small object beside its destination, for Airflow before 3.3.

Those Airflows have nothing that outlives a try. The destination does, and what lands there needs it anyhow.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.operators.job_record import DAMAGED_REMEDY, final
from airflow_provider_batchdl.redaction import get_logger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# A record has some 500 bytes, and 40 for each clear of the task; what is larger is none of ours.
LARGEST_RECORD = 256 << 10


class SidecarStore:
    """One JSON object, ``.batchdl/<32 hex digits>.json`` in the destination's folder, for one task instance.

    The name is a digest of the DAG's id, the run's, the task's and the map index. The object also says when the run
    started: a run that is deleted and made again has the same name, and none of the old one's jobs.

    It is replaced as a whole or not at all, and neither a list nor a delete is needed for it. Methods raise
    ``DestinationError``, and ``StateStoreError`` where what is there is no record.

    Args:
        destination: the task's, rendered.
        context: the task's context.
    """

    def __init__(self, destination: Any, context: Context) -> None:
        ti: Any = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        facts = json.dumps([ti.dag_id, ti.run_id, ti.task_id, index])
        self._destination = destination
        self._name = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
        self._run = _start_of(context.get("dag_run"))
        self._unseen = False

    @cached_property
    def _place(self) -> Destination:
        from airflow_provider_batchdl.hooks.storage import destination_at

        return destination_at(self._destination).record(self._name)

    def get(self, key: str) -> Any:
        """What was set; None where nothing was, or the store does not say.

        A store refuses to say what is not there to whoever may not list. So a refusal counts only once something is
        there: see :meth:`set`.
        """
        try:
            document = self._read()
        except DestinationError as error:
            if error.retryable:
                raise
            log.info("Cannot see whether an earlier try left a record: %s", error.message)
            self._unseen = True
            return None
        value = document.get(key)
        if isinstance(value, dict) and document.get("run") != self._run:
            log.info("The record at %s is of an earlier run of the same name; its job is left alone.", self._place.uri)
            return {**value, "given_up": True}
        return value

    def set(self, key: str, value: dict[str, Any]) -> None:
        """Store it in place of what was there."""
        self._write({"run": self._run, key: value})
        if self._unseen:
            self._read()
            self._unseen = False

    def delete(self, key: str) -> None:
        """Forget it: an object that says nothing does that with no further permission, until `sweep` removes it."""
        self._write({})

    def _read(self) -> dict[str, Any]:
        from airflow_provider_batchdl.transfer.existing import object_info
        from airflow_provider_batchdl.transfer.sinks.errors import destination_error

        place, data = self._place, b""
        try:
            info = object_info(place.fs, place.path)
            if info is None:
                return {}
            if info.get("type") == "file" and 0 < (info.get("size") or 0) <= LARGEST_RECORD:
                data = place.fs.cat_file(place.path, start=0, end=LARGEST_RECORD)
        except FileNotFoundError:
            return {}
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            refused = destination_error(place.uri, "read the record of the task's job", error)
            if isinstance(error, PermissionError):  # S3 gives a refused HEAD no code
                refused.retryable = False
            raise refused from None
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise final(f"{place.uri} is no record of a job.", DAMAGED_REMEDY)
        return document

    def _write(self, document: dict[str, Any]) -> None:
        from airflow_provider_batchdl.transfer.sinks import write_small

        place = self._place
        write_small(place.fs, place.path, place.uri, json.dumps(document).encode())


def _start_of(run: Any) -> str | None:
    """When a run started. It stays while a task is retried; Airflow changes it by a clear of a run that has ended."""
    start = getattr(run, "start_date", None)
    return None if start is None else start.isoformat()

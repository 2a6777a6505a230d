"""Store of a task instance's record in a small object beside its destination, for Airflow before 3.3.

Those versions have no store that outlives a try. The destination does, and the result needs it anyway.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl._tasks.job_record import DAMAGED_REMEDY, final
from airflow_provider_batchdl.exceptions import DestinationError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_batchdl.transfer.destination import Destination

log = get_logger(__name__)

# Bytes. A record has about 500, and 40 more for each clear of the task.
LARGEST_RECORD = 256 << 10


class SidecarStore:
    """One JSON object, ``.batchdl/<32 hex digits>.json`` in the destination's folder, for one task instance.

    The name is a digest of the DAG's id, the run's, the task's and the map index. The object also says when the run
    started: a run that is deleted and created again has the same name, and none of the old one's jobs.

    It is replaced as a whole or not at all, and needs no permission to list or delete. Methods raise
    ``DestinationError``, and ``StateStoreError`` if the object is not a record.
    """

    def __init__(self, destination: Any, context: Context) -> None:
        ti: Any = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        facts = json.dumps([ti.dag_id, ti.run_id, ti.task_id, index])
        self._destination = destination
        self._name = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
        # The same for all tries of a task, and another after a clear of a run that has ended.
        start = getattr(context.get("dag_run"), "start_date", None)
        self._run = None if start is None else start.isoformat()
        self._unseen = False

    @cached_property
    def _place(self) -> Destination:
        from airflow_provider_batchdl.hooks._storage import destination_at

        return destination_at(self._destination).record(self._name)

    def get(self, key: str) -> Any:
        """The value of a key; None if not set, or if the store refuses to say.

        Without the permission to list, a store answers "forbidden" for an object that is not there. So a refusal counts
        only once an object was written: see :meth:`set`.
        """
        try:
            document = self._read()
        except DestinationError as error:
            if error.retryable:
                raise
            log.info("Cannot check for a record of an earlier try, assuming there is none: %s", error.message)
            self._unseen = True
            return None
        value = document.get(key)
        if isinstance(value, dict) and document.get("run") != self._run:
            log.info("Ignoring the record at %s: it belongs to an earlier run of the same name", self._place.uri)
            return {**value, "given_up": True}
        return value

    def set(self, key: str, value: dict[str, Any]) -> None:
        """Store a value, replacing the previous one."""
        self._write({"run": self._run, key: value})
        if self._unseen:
            self._read()
            self._unseen = False

    def delete(self, key: str) -> None:
        """Remove the value by writing an empty record, without the permission to delete; `sweep` removes the object."""
        self._write({})

    def _read(self) -> dict[str, Any]:
        from airflow_provider_batchdl.transfer.sinks.errors import destination_error, is_forbidden

        place, data = self._place, b""
        try:
            info = place.info()
            if info is None:
                return {}
            if info.get("type") == "file" and 0 < (info.get("size") or 0) <= LARGEST_RECORD:
                data = place.fs.cat_file(place.path, start=0, end=LARGEST_RECORD)
        except FileNotFoundError:
            return {}
        except Exception as error:  # noqa: BLE001  every store raises its own kinds
            refused = destination_error(place.uri, "read the record of the task's job", error)
            if is_forbidden(error):
                refused.retryable = False
            raise refused from None
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise final(f"{place.uri} is not a record of a job.", DAMAGED_REMEDY)
        return document

    def _write(self, document: dict[str, Any]) -> None:
        from airflow_provider_batchdl.transfer.sinks.factory import write_small

        place = self._place
        write_small(place.fs, place.path, place.uri, json.dumps(document).encode())


@cache
def warn_not_durable() -> None:
    """Warn, once in a process and so once in a try, that a retry cannot reconnect to the job."""
    log.warning(
        "This Airflow is older than 3.3 and this task has no destination, so there is no place to record its job: a "
        "retry or a clear submits and pays for a new job, and does not cancel the old one. BatchJobOperator with a "
        "destination reconnects. Set durable=False to accept this and silence the warning"
    )

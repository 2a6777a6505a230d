"""Mixin of the operators that download: land or parse a result, and report it to Airflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl._airflow.compat import AirflowSkipException, is_from_mapped, mapped_input
from airflow_provider_batchdl._airflow.job_note import note_landing
from airflow_provider_batchdl._tasks.arguments import ChecksArguments
from airflow_provider_batchdl._tasks.assets import add_partitions, checked_partitions, emit_asset_events
from airflow_provider_batchdl._tasks.destinations import (
    as_given,
    check_place,
    is_one_place,
    refuse_input,
    refuse_repeated,
    refuse_shared,
    warn_of_members,
)
from airflow_provider_batchdl._tasks.lineage import LineageMixin
from airflow_provider_batchdl._tasks.warnings import warn_of_one_place
from airflow_provider_batchdl._tasks.xcom import storable_result
from airflow_provider_batchdl._values.arguments import is_xcom_arg
from airflow_provider_batchdl._values.inputs import refuse_lost_members
from airflow_provider_batchdl.exceptions import EmptyResultError, InvalidArgumentError
from airflow_provider_batchdl.options import NAMES, DownloadOptions, spell_out
from airflow_provider_batchdl.polling.backoff import until_found

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from airflow_provider_batchdl.hooks.base import BatchApiHook

# XCom lives in the metadata database: keep it small.
MAX_XCOM_BYTES = 48 * 1024


class LandsResults(LineageMixin, ChecksArguments):
    """Operator that lands a job's results, with the arguments that say where and how.

    Args:
        destination: anything ``ObjectStoragePath`` takes (``s3://aws_conn@bucket/key``, ``file:///...``, an absolute
            local path); ending in ``/`` a folder for the vendor's file names. Parsed into XCom where left out.
        partition_key: the partition, or a list of them, that the result is of (Airflow 3.3 and later): each ``Asset``
            among the outlets has an event for each. Events are of the DAG run's partition where left out.
        max_xcom_bytes: the most a result may have, in bytes, to go into XCom.
        kwargs: how to download, see :class:`~airflow_provider_batchdl.options.DownloadOptions`, each option under its
            own name; and what every operator takes.
    """

    file: str | None = None  # of a task that has submitted it, too

    @spell_out
    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath | XComArg | None = None,
        partition_key: str | list[str] | XComArg | None = None,
        max_xcom_bytes: int = MAX_XCOM_BYTES,
        **kwargs: Any,
    ) -> None:
        chosen = {name: kwargs.pop(name) for name in NAMES if name in kwargs}
        super().__init__(**kwargs)
        # Airflow resolves the first two before execute.
        self.destination: str | None = self._checked("destination", as_given(destination))
        if self.multiple_outputs and destination is None:
            with self._refusing():
                raise InvalidArgumentError(
                    "multiple_outputs unrolls the landing of a result, and without a destination there is none.",
                    remedy="Give a destination, or leave multiple_outputs out: the result is one XCom.",
                )
        self.partition_key: str | list[str] | None = self._checked("partition_key", partition_key)
        self.max_xcom_bytes: int = self._checked("max_xcom_bytes", max_xcom_bytes)
        with self._refusing():
            self.options = DownloadOptions(**chosen)
        if (group := self.get_closest_mapped_task_group()) is not None:
            refuse_shared(self.destination, keep=self.options.keep)
            if is_xcom_arg(destination) and isinstance(mapped := mapped_input(group), Mapping):
                refuse_repeated(mapped, keep=self.options.keep)
        elif destination is not None and not is_from_mapped(self):
            self._warn_of_one_place()

    def _warn_of_one_place(self) -> None:
        """Warn of an earlier task of the DAG that lands at the same destination."""
        dag = self.get_dag()
        places = {} if dag is None else vars(dag).setdefault("_batchdl_places", {})
        other, if_exists = places.setdefault(str(self.destination), (self.task_id, self.options.if_exists))
        refuses = "error" in (if_exists, self.options.if_exists)
        if other != self.task_id and not refuses and is_one_place(self.destination, keep=self.options.keep):
            warn_of_one_place(self.task_id, other, self.destination)

    @classmethod
    def check_partial(cls, constants: Mapping[str, Any]) -> None:
        """Check the constants of a mapped task; refuse one destination for all its instances."""
        super().check_partial(constants)
        refuse_input(constants.get("destination"), constants.get("file"))
        refuse_shared(constants.get("destination"), keep=constants.get("keep", "all"))

    @classmethod
    def check_mapped(cls, mapped: Mapping[str, Any] | Sequence[Any], constants: Mapping[str, Any]) -> None:
        """Check the mapped values; refuse several mapped task instances with one destination."""
        super().check_mapped(mapped, constants)
        if isinstance(mapped, Mapping) and "destination" not in mapped:
            refuse_shared(constants.get("destination"), keep=constants.get("keep", "all"))
        refuse_repeated(mapped, keep=constants.get("keep", "all"))

    def _prepare(self, context: Context, *, submits: bool = False) -> None:
        """Refuse, before any download, what would otherwise fail after it."""
        self._refuse_lost("destination", "partition_key")
        refuse_lost_members("partition_key", self._written.get("partition_key"), self.partition_key)
        refuse_input(self.destination, self.file)
        if self.destination is not None:
            check_place(self.destination, self.options if submits else None)
        checked_partitions(context, self.outlets, self.partition_key)

    def _land(self, context: Context, hook: BatchApiHook, job_id: str) -> Any:
        """Download a job's results; the landing as a dict, or the parsed result where there is no destination."""
        self._note_lineage(hook.vendor, job_id)
        partitions = checked_partitions(context, self.outlets, self.partition_key)
        self._refuse_lost("destination")
        if self.destination is None:
            value = until_found(partial(self._fetch, hook, job_id), partial(hook.is_listed, job_id))
            value = storable_result(value, vendor=hook.vendor.name, job_id=job_id)
            add_partitions(context, self.outlets, partitions)
            return value
        warn_of_members(self.destination, self.options, context, hook.vendor.name, job_id)
        download = partial(hook.download, job_id, self.destination, self.options)
        landing = until_found(download, partial(hook.is_listed, job_id))
        if not landing.files and self.options.on_empty == "skip":
            raise _skipped(job_id)
        self._note_lineage(hook.vendor, job_id, landing)
        note_landing(self, context, landing, str(self.destination))
        emit_asset_events(context, self.outlets, landing, str(self.destination))
        add_partitions(context, self.outlets, partitions)
        return landing.to_dict()

    def _fetch(self, hook: BatchApiHook, job_id: str) -> object:
        skips = self.options.on_empty == "skip"
        options = replace(self.options, on_empty="fail") if skips else self.options
        try:
            return hook.fetch(job_id, options, max_bytes=self.max_xcom_bytes)
        except EmptyResultError:
            if skips:
                raise _skipped(job_id) from None
            raise


def _skipped(job_id: str) -> AirflowSkipException:
    return AirflowSkipException(f"Job {job_id} has no result file.")

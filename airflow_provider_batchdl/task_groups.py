"""TaskFlow: submit, wait and download as a group of three tasks, for one batch or mapped over many.

::

    landing = batch_job(
        conn_id="revenuebase_default", file=extract(), destination="s3://aws_default@lake/verified/{{ ds }}.csv"
    )
    load(landing)

    batch_job.override(group_id="verify").partial(
        conn_id="proofy_default", destination="s3://aws_default@lake/proofy/{{ run_id }}/{{ ti.map_index }}/"
    ).expand(request=batches())

``BatchJobOperator`` does the same in one task. The group shows in the UI how far a batch is, and each step can be
cleared by itself: clearing the download does not pay for a new job.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from airflow.sdk import BaseOperator, XComArg, task_group
from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_provider_batchdl._airflow.compat import accepts_retry_policy
from airflow_provider_batchdl._tasks.arguments import FailOrResubmit, checked
from airflow_provider_batchdl._tasks.assets import assets_of
from airflow_provider_batchdl._tasks.deferral import LONGEST_WAIT
from airflow_provider_batchdl._tasks.destinations import refuse_unparsable
from airflow_provider_batchdl._tasks.warnings import RetriesWarning, warn_without_retries
from airflow_provider_batchdl._values.arguments import is_placeholder, is_xcom_arg, text, whole_number
from airflow_provider_batchdl.operators.download import MAX_XCOM_BYTES, DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.options import DEFAULTS, DownloadKeywords, spell_out
from airflow_provider_batchdl.retries import BatchDlRetryPolicy
from airflow_provider_batchdl.sensors.job import BatchJobSensor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from airflow.sdk import Asset, AssetAlias, ObjectStoragePath
    from airflow.sdk.definitions._internal.mixins import DependencyMixin
    from airflow.sdk.definitions.edges import EdgeModifier

__all__ = ["batch_job"]

RETRIES = 3
MAPPABLE = ("conn_id", "request", "file", "destination", "partition_key")


@task_group(group_id="batch_job", tooltip="Submit a batch, wait for it, land its result.")  # type: ignore[type-var]
@spell_out
def batch_job(
    conn_id: str | XComArg,
    request: dict[str, Any] | str | XComArg | None = None,
    file: str | PathLike[str] | ObjectStoragePath | XComArg | None = None,
    destination: str | ObjectStoragePath | XComArg | None = None,
    *,
    max_xcom_bytes: int = MAX_XCOM_BYTES,
    outlets: Sequence[Asset | AssetAlias] | None = None,
    partition_key: str | list[str] | XComArg | None = None,
    poll_interval: float | timedelta | None = None,
    max_poll_interval: float | timedelta | None = None,
    timeout: float | timedelta = LONGEST_WAIT,
    deferrable: bool = True,
    on_uncertain_submit: FailOrResubmit = "fail",
    on_changed_input: FailOrResubmit = "fail",
    retries: int | None = None,
    pool: str | None = None,
    **given: Unpack[DownloadKeywords],
) -> XComArg:
    """Task group of ``submit``, ``wait`` and ``download``. Returns the output of ``download``.

    The first four arguments and ``partition_key`` are templated, and may be mapped over; another id than ``batch_job``
    is given with ``batch_job.override(group_id=…)``. Upstream tasks (``check >> batch_job(…)``) run
    before the submit, downstream tasks after the download.

    Args:
        conn_id: the account's connection; its type names the vendor, whose poll interval and rate limit hold.
        request: the vendor's request, a dict or the JSON text of one; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes.
        destination: where the results go, as for ``DownloadBatchResultsOperator``; into XCom where left out. ``submit``
            checks it before it submits, unless its template mentions XCom.
        max_xcom_bytes: the most a result may have, in bytes, to go into XCom.
        outlets: the assets that the result is an event of.
        partition_key: the partitions that the result is of, as for ``DownloadBatchResultsOperator``. What it renders to
            is checked by ``download``, when the job is paid for; if it is refused, fix it and clear that task.
        poll_interval: seconds between polls, as for ``BatchJobSensor``.
        max_poll_interval: most seconds between polls, as there.
        timeout: seconds to wait for the job; a day where left out.
        deferrable: wait in the triggerer rather than on a worker.
        on_uncertain_submit: as for ``SubmitBatchJobOperator``.
        on_changed_input: as there.
        retries: of each task; what ``default_args`` or Airflow's configuration say where left out, and three where
            they say none. On Airflow 3.3 with ``BatchDlRetryPolicy``, unless ``default_args`` have another policy.
        pool: the pool of all three tasks; one that includes deferred tasks limits how many wait. Tasks that finish
            a batch have priority over those that start one.
        given: how to download, see :class:`~airflow_provider_batchdl.options.DownloadOptions`: ``if_exists="skip"``.

    Raises:
        TypeError: it is mapped over any other argument, or there is no such option.
        ValueError: an argument cannot have this value; or there is a ``partition_key`` and no ``Asset`` among the
            outlets.
    """
    _refuse_mapped({name: value for name, value in (locals() | given).items() if name not in MAPPABLE})
    if named := {"group_id", "task_id"} & given.keys():
        raise TypeError(f"batch_job has no argument {named.pop()!r}. Call batch_job.override(group_id=…)(…) instead.")
    chosen = DEFAULTS.having(given)
    refuse_unparsable(request, destination)
    checked("timeout", timeout)  # of a sensor alone, 0 makes sense
    if retries is not None:
        whole_number("retries", retries, least=0)
    if pool is not None:
        text("pool", pool)
    common: dict[str, Any] = {"conn_id": conn_id, "weight_rule": "upstream"} | ({"pool": pool} if pool else {})
    with warnings.catch_warnings(action="ignore", category=RetriesWarning):  # it gets its retries below
        submit = SubmitBatchJobOperator(
            task_id="submit",
            request=request,
            file=file,
            destination=None if _renders_from_xcom(destination) else destination,
            if_exists=chosen.if_exists,
            keep=chosen.keep,
            manifest=chosen.manifest,
            on_uncertain_submit=on_uncertain_submit,
            on_changed_input=on_changed_input,
            do_xcom_push=True,  # the other two need the id, whatever default_args say
            **common,
        )
    wait = BatchJobSensor(
        task_id="wait",
        job_id=submit.output,
        accept_partial=chosen.accept_partial,
        poll_interval=poll_interval,
        max_poll_interval=max_poll_interval,
        timeout=timeout,
        deferrable=deferrable,
        **common,
    )
    declared: dict[str, Any] = {} if outlets is None else {"outlets": outlets}  # or default_args would not count
    download = DownloadBatchResultsOperator(
        task_id="download",
        job_id=submit.output,
        destination=destination,
        max_xcom_bytes=max_xcom_bytes,
        partition_key=partition_key,
        **given,
        **common,
        **declared,
    )
    if partition_key is not None and not assets_of(download.outlets):
        raise ValueError("batch_job has a partition_key and no Asset among its outlets.")
    wait >> download
    for task in (submit, wait, download):
        _give_retries(task, retries)
    warn_without_retries(submit.task_id, submit.retries)
    return _Landing(download, submit)


class _Landing(PlainXComArg):
    """Output of ``download`` whose upstream edges lead to ``submit``.

    A plain one would let ``check >> batch_job(…)`` submit, and pay, without waiting for the check.
    """

    def __init__(self, download: BaseOperator, submit: BaseOperator) -> None:
        super().__init__(download)
        self._submit = submit

    @property
    def roots(self) -> list[Any]:
        """The task that edges to the group lead to."""
        return [self._submit]

    def set_upstream(
        self, task_or_task_list: DependencyMixin | Sequence[DependencyMixin], edge_modifier: EdgeModifier | None = None
    ) -> None:
        """Add upstream tasks of the group."""
        self._submit.set_upstream(task_or_task_list, edge_modifier)


def _renders_from_xcom(destination: Any) -> bool:
    """True if a template may need what only exists after the submit, like the job's id."""
    return isinstance(destination, str) and is_placeholder(destination) and "xcom" in destination


def _refuse_mapped(settings: dict[str, Any]) -> None:
    """Refuse XComArgs among the settings: Airflow would take the placeholder for a value."""
    mapped = [name for name, value in settings.items() if is_xcom_arg(value)]
    if mapped:
        raise TypeError(
            f"batch_job can be mapped over {', '.join(MAPPABLE)} with expand(), not over {', '.join(mapped)}; "
            "expand_kwargs() maps over all arguments and cannot be used."
        )


def _give_retries(task: BaseOperator, retries: int | None) -> None:
    if retries is not None or not task.retries:
        task.retries = RETRIES if retries is None else retries
    if accepts_retry_policy(task):
        task.retry_policy = BatchDlRetryPolicy()

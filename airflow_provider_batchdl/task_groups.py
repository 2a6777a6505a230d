"""TaskFlow: submit, wait and download as a group of three tasks, for one batch or mapped over many.

::

    landing = batch_job(conn_id="revenuebase_default", file=extract(), destination="s3://aws_default@lake/verified/")
    load(landing)

    batch_job.override(group_id="verify").partial(
        conn_id="proofy_default", destination="s3://aws_default@lake/proofy/{{ run_id }}/{{ ti.map_index }}/"
    ).expand(request=batches())

``BatchJobOperator`` does the same in one task. The group shows in the UI where a batch stands, and each step can be
cleared by itself: a download that is cleared pays for no new job.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, XComArg, task_group
from airflow.sdk.definitions.xcom_arg import PlainXComArg

from airflow_provider_batchdl.assets import assets_of
from airflow_provider_batchdl.deferral import LONGEST_WAIT
from airflow_provider_batchdl.operators.choices import OnChangedInput, OnUncertainSubmit
from airflow_provider_batchdl.operators.download import MAX_XCOM_BYTES, DownloadBatchResultsOperator
from airflow_provider_batchdl.operators.submit import SubmitBatchJobOperator
from airflow_provider_batchdl.retries import BatchDlRetryPolicy
from airflow_provider_batchdl.sensors.job import BatchJobSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Asset, AssetAlias, ObjectStoragePath
    from airflow.sdk.definitions._internal.mixins import DependencyMixin
    from airflow.sdk.definitions.edges import EdgeModifier

RETRIES = 3
MAPPABLE = ("conn_id", "request", "file", "destination", "partition_key")


@task_group(group_id="batch_job", tooltip="Submit a batch, wait for it, land its result.")  # type: ignore[type-var]
def batch_job(  # noqa: PLR0913 the settings of three tasks
    conn_id: str | XComArg,
    request: dict[str, Any] | XComArg | None = None,
    file: str | XComArg | None = None,
    destination: str | ObjectStoragePath | XComArg | None = None,
    *,
    accept_partial: bool = False,
    max_xcom_bytes: int = MAX_XCOM_BYTES,
    manifest: bool | None = None,
    if_exists: str = "replace",
    on_empty: str = "fail",
    sha256: bool = True,
    max_connections: int | None = None,
    outlets: Sequence[Asset | AssetAlias] | None = None,
    partition_key: str | list[str] | XComArg | None = None,
    poll_interval: float | timedelta | None = None,
    max_poll_interval: float | timedelta | None = None,
    timeout: float | timedelta = LONGEST_WAIT,
    deferrable: bool = True,
    on_uncertain_submit: OnUncertainSubmit = "fail",
    on_changed_input: OnChangedInput = "fail",
    retries: int | None = None,
    pool: str | None = None,
) -> XComArg:
    """Tasks ``submit``, ``wait`` and ``download``. Returns what ``download`` returns, for other tasks to take.

    The first four arguments and ``partition_key`` are templated, and may be mapped over; another id than ``batch_job``
    is given with ``batch_job.override(group_id=…)``. What comes before the result (``check >> batch_job(…)``) comes
    before the submit, and what comes after it after the download.

    Args:
        conn_id: the account's connection; its type names the vendor, whose poll interval and rate limit hold.
        request: the vendor's request, a dict; see the vendor's section in the documentation.
        file: path or URL of a file to upload, anything ``ObjectStoragePath`` takes.
        destination: where the results go, as for ``DownloadBatchResultsOperator``; into XCom where left out.
        accept_partial: take what a cancelled job left, where the vendor keeps it.
        max_xcom_bytes: the most a result may have, in bytes, to go into XCom.
        manifest: whether to write ``_manifest.json``, as for ``DownloadBatchResultsOperator``.
        if_exists: what becomes of an object at the destination, as there.
        on_empty: what becomes of a job that has no result file, as there.
        sha256: whether to compute the files' SHA-256, as there.
        max_connections: the most to fetch one large file by, as there.
        outlets: the assets that the result is an event of.
        partition_key: the partitions that the result is of, as for ``DownloadBatchResultsOperator``. What it renders to
            is checked by ``download``, when the job is paid for; what is refused is mended by clearing that task.
        poll_interval: seconds between looks, as for ``BatchJobSensor``.
        max_poll_interval: most seconds between looks, as there.
        timeout: seconds to wait for the job; a day where left out.
        deferrable: wait in the triggerer rather than on a worker.
        on_uncertain_submit: as for ``SubmitBatchJobOperator``.
        on_changed_input: as there.
        retries: of each task; what ``default_args`` or Airflow's configuration say where left out, and three where
            they say none. On Airflow 3.3 with ``BatchDlRetryPolicy``, unless ``default_args`` have another policy.
        pool: the pool of all three tasks; one that includes deferred ones bounds how many wait. Tasks that end a
            batch go before those that begin one.

    Raises:
        TypeError: it is mapped over another argument than those.
        ValueError: there is a ``partition_key``, and no ``Asset`` among the outlets to give it to.
    """
    _refuse_mapped({name: value for name, value in locals().items() if name not in MAPPABLE})
    common: dict[str, Any] = {"conn_id": conn_id, "weight_rule": "upstream"} | ({"pool": pool} if pool else {})
    submit = SubmitBatchJobOperator(
        task_id="submit",
        request=request,
        file=file,
        on_uncertain_submit=on_uncertain_submit,
        on_changed_input=on_changed_input,
        **common,
    )
    wait = BatchJobSensor(
        task_id="wait",
        job_id=submit.output,
        accept_partial=accept_partial,
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
        accept_partial=accept_partial,
        max_xcom_bytes=max_xcom_bytes,
        manifest=manifest,
        if_exists=if_exists,
        on_empty=on_empty,
        sha256=sha256,
        max_connections=max_connections,
        partition_key=partition_key,
        **common,
        **declared,
    )
    if partition_key is not None and not assets_of(download.outlets):
        raise ValueError("batch_job has a partition_key, and no Asset among its outlets.")
    wait >> download
    for task in (submit, wait, download):
        _give_retries(task, retries)
    return _Landing(download, submit)


class _Landing(PlainXComArg):
    """The result of ``download``, with an edge to it leading to ``submit``.

    A plain one would let ``check >> batch_job(…)`` submit, and pay, without waiting for the check.
    """

    def __init__(self, download: BaseOperator, submit: BaseOperator) -> None:
        super().__init__(download)
        self._submit = submit

    @property
    def roots(self) -> list[Any]:
        """Where an edge to the group leads."""
        return [self._submit]

    def set_upstream(
        self, task_or_task_list: DependencyMixin | Sequence[DependencyMixin], edge_modifier: EdgeModifier | None = None
    ) -> None:
        """Put tasks before the group."""
        self._submit.set_upstream(task_or_task_list, edge_modifier)


def _refuse_mapped(settings: dict[str, Any]) -> None:
    """What only a task's run resolves, a setting cannot be; Airflow would take the placeholder for a value."""
    mapped = [name for name, value in settings.items() if hasattr(value, "resolve")]
    if mapped:
        raise TypeError(
            f"batch_job can be mapped over {', '.join(MAPPABLE)} with expand(), not over {', '.join(mapped)}; "
            "expand_kwargs() maps over all arguments and cannot be used."
        )


def _give_retries(task: BaseOperator, retries: int | None) -> None:
    if retries is not None or not task.retries:
        task.retries = RETRIES if retries is None else retries
    if getattr(task, "retry_policy", "none below Airflow 3.3") is None:
        task.retry_policy = BatchDlRetryPolicy()

"""OpenLineage facets: the submitted file, the vendor's job, the landed objects.

The job is an output of the submit and an input of the download, which links the file with the objects. Names follow
OpenLineage's naming specification (https://openlineage.io/docs/spec/naming): a dataset's namespace is its store, its
name the place there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_batchdl._tasks.assets import assets_of, bare_uri
from airflow_provider_batchdl._values.storable import storable_text

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Landing
    from airflow_provider_batchdl.vendors.base import Vendor


@dataclass(frozen=True)
class JobLineage:
    """Lineage of one task and one job.

    Args:
        source: the namespace of the account's API, like ``revenuebase://api.revenuebase.ai``.
        job_id: the vendor's id of the job.
        inlets: the task's inlets.
        outlets: the task's outlets, which are the outputs if nothing landed.
        file: the file that it uploaded; None if it did not submit, or only a request.
        landing: the landed result; None if it went into XCom, or is not there yet.
        submits_only: whether the job is an output of the task, and not an input.
    """

    source: str
    job_id: str
    inlets: tuple[Any, ...] = ()
    outlets: tuple[Any, ...] = ()
    file: str | None = None
    landing: Landing | None = None
    submits_only: bool = False

    @classmethod
    def of(cls, task: Any, vendor: Vendor, job_id: str, **more: Any) -> JobLineage:
        """The lineage of ``task`` and a job of the account of ``vendor``; ``more`` as for the class."""
        source = f"{vendor.name}://{urlsplit(vendor.account.base_url).netloc}"
        return cls(source, storable_text(job_id), tuple(task.inlets), tuple(task.outlets), **more)

    def facets(self) -> Any:
        """The ``OperatorLineage``; None if Airflow's OpenLineage provider is not installed."""
        try:
            from airflow.providers.common.compat.openlineage.facet import Dataset, ExternalQueryRunFacet
            from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        job = [Dataset(self.source, f"jobs/{self.job_id}")]
        read = [Dataset(*dataset_name(str(self.file)))] if self.file else []
        read += [dataset for dataset in _declared(self.inlets) if dataset not in read]
        if self.submits_only:
            inputs, outputs = read, job + _declared(self.outlets)
        else:
            inputs, outputs = read + job, _landed(self.landing) if self.landing else _declared(self.outlets)
        facet = ExternalQueryRunFacet(self.job_id, self.source)
        return OperatorLineage(inputs=inputs, outputs=outputs, run_facets={"externalQuery": facet})


class LineageMixin:
    """Mixed into an operator that sets ``_lineage`` as soon as there is a job."""

    inlets: list[Any]
    outlets: list[Any]
    _lineage: JobLineage | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The lineage of a task that succeeded; called by Airflow's OpenLineage provider."""
        return self._lineage and self._lineage.facets()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """The lineage of a task that failed: its job, if there was one by then."""
        return self._lineage and self._lineage.facets()


def _declared(assets: Iterable[Any]) -> list[Any]:
    """A task's own inlets or outlets; Airflow's provider adds these only to tasks without a lineage of their own."""
    from airflow.providers.common.compat.openlineage.utils.utils import translate_airflow_asset

    found = [translate_airflow_asset(asset, None) for asset in assets_of(assets)]
    return [dataset for dataset in found if dataset is not None]


def _landed(landing: Landing) -> list[Any]:
    from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

    return [
        OutputDataset(
            *dataset_name(file.uri),
            outputFacets={"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=file.rows, size=file.bytes)},
        )
        for file in landing.files
    ]


def dataset_name(place: str) -> tuple[str, str]:
    """Namespace and name of an object."""
    scheme, _, rest = bare_uri(storable_text(place)).partition("://")
    if scheme in ("http", "https"):
        rest = re.split("[?#]", rest, maxsplit=1)[0]  # the query may be a signature
    store, _, key = rest.partition("/")
    return ("file", f"/{key}") if scheme == "file" else (f"{scheme}://{store}", key)

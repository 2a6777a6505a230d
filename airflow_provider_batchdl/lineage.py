"""What OpenLineage is told: a file that was submitted, the vendor's job, the objects that landed.

A submit makes the job of the file, and a download the objects of the job, so that the one leads to the other. Names
follow OpenLineage's naming specification (https://openlineage.io/docs/spec/naming): a dataset's namespace says which
store it is in, its name where there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_batchdl.assets import assets_of, bare_uri
from airflow_provider_batchdl.storable import storable_text

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Landing
    from airflow_provider_batchdl.vendors.base import Vendor


@dataclass(frozen=True)
class JobLineage:
    """What one task did for one job.

    Args:
        source: the namespace of the account's API, like ``revenuebase://api.revenuebase.ai``.
        job_id: the vendor's id of the job.
        inlets: what the task declares to read.
        outlets: what it declares to write, which stands for what landed where nothing did.
        file: what it uploaded; None where it did not submit, or only a request.
        landing: what its download left; None where the result went into XCom, or nowhere yet.
        submits_only: whether the job is what it made, and not what it read.
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
        """The lineage of what ``task`` did with the account of ``vendor``; ``more`` as for the class."""
        source = f"{vendor.name}://{urlsplit(vendor.account.base_url).netloc}"
        return cls(source, storable_text(job_id), tuple(task.inlets), tuple(task.outlets), **more)

    def facets(self) -> Any:
        """An ``OperatorLineage``; None where Airflow's OpenLineage provider is not installed."""
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


class TellsLineage:
    """Mixed into an operator that sets ``_lineage`` as soon as there is a job."""

    inlets: list[Any]
    outlets: list[Any]
    _lineage: JobLineage | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What Airflow's OpenLineage provider asks for when the task has ended well."""
        return self._lineage and self._lineage.facets()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """The same where it has failed: the job, as far as there was one by then."""
        return self._lineage and self._lineage.facets()


def _declared(assets: Iterable[Any]) -> list[Any]:
    """A task's own inlets or outlets. Airflow's provider tells of them, but only for a task that tells nothing else."""
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
    """Namespace and name of an object.

    Args:
        place: its address as `ObjectStoragePath` takes it, a local path among them.
    """
    scheme, _, rest = bare_uri(storable_text(place)).partition("://")
    if scheme in ("http", "https"):
        rest = re.split("[?#]", rest, maxsplit=1)[0]  # what stands there may be a signature
    store, _, key = rest.partition("/")
    return ("file", f"/{key}") if scheme == "file" else (f"{scheme}://{store}", key)

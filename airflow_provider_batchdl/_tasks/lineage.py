"""OpenLineage facets: the submitted file, the vendor's job, the landed objects.

The job is an output of the submit and an input of the download, which links the file with the objects. Names follow
OpenLineage's naming specification (https://openlineage.io/docs/spec/naming): a dataset's namespace is its store, its
name the place there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from airflow_provider_batchdl._tasks.assets import assets_of, bare_uri
from airflow_provider_batchdl._values.storable import storable_text

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Landing
    from airflow_provider_batchdl.vendors.base import Vendor


class LineageMixin:
    """Mixed into an operator that notes its job, and what has landed, as soon as they are there."""

    inlets: list[Any]
    outlets: list[Any]
    file: str | None
    _submits_only: ClassVar[bool] = False
    """True if the job is an output of the task, and not an input."""
    _lineage: tuple[str, str, Landing | None] | None = None

    def _note_lineage(self, vendor: Vendor, job_id: str, landing: Landing | None = None) -> None:
        """Note a job, in the namespace of the account's API, like ``revenuebase://api.revenuebase.ai``."""
        source = f"{vendor.name}://{urlsplit(vendor.account.base_url).netloc}"
        self._lineage = source, storable_text(job_id), landing

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The ``OperatorLineage``, for Airflow's OpenLineage provider; None before there is a job."""
        try:
            from airflow.providers.common.compat.openlineage.facet import Dataset, ExternalQueryRunFacet
            from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        if self._lineage is None:
            return None
        source, job_id, landing = self._lineage
        job = [Dataset(source, f"jobs/{job_id}")]
        read = [Dataset(*dataset_name(str(self.file)))] if self.file else []
        read += [dataset for dataset in _declared(self.inlets) if dataset not in read]
        if self._submits_only:
            inputs, outputs = read, job + _declared(self.outlets)
        else:
            inputs, outputs = read + job, _landed(landing) if landing else _declared(self.outlets)
        facet = ExternalQueryRunFacet(job_id, source)
        return OperatorLineage(inputs=inputs, outputs=outputs, run_facets={"externalQuery": facet})

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """The same for a task that failed."""
        return self.get_openlineage_facets_on_complete(task_instance)


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

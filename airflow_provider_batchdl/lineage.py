"""What OpenLineage is told of a download: the vendor's job as input, the objects that landed as outputs.

Names follow OpenLineage's naming specification (https://openlineage.io/docs/spec/naming): a dataset's namespace says
which store it is in, its name where there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_batchdl.assets import bare_uri

if TYPE_CHECKING:
    from airflow_provider_batchdl.jobs import Landing
    from airflow_provider_batchdl.vendors.base import Vendor


@dataclass(frozen=True)
class DownloadLineage:
    """One download, as lineage.

    Args:
        source: the namespace of the account's API, like ``revenuebase://api.revenuebase.ai``.
        job_id: the vendor's id of the job.
        outlets: what the task declares, which stands for what landed where nothing did.
        landing: what it left; None where the result went into XCom, or nowhere yet.
    """

    source: str
    job_id: str
    outlets: tuple[Any, ...] = ()
    landing: Landing | None = None

    @classmethod
    def of(cls, vendor: Vendor, job_id: str, outlets: Iterable[Any], landing: Landing | None = None) -> DownloadLineage:
        """The lineage of a download from the account of ``vendor``."""
        source = f"{vendor.name}://{urlsplit(vendor.account.base_url).netloc}"
        return cls(source, str(job_id), tuple(outlets), landing)

    def facets(self) -> Any:
        """An ``OperatorLineage``; None where Airflow's OpenLineage provider is not installed."""
        try:
            from airflow.providers.common.compat.openlineage.facet import (
                Dataset,
                ExternalQueryRunFacet,
                OutputDataset,
                OutputStatisticsOutputDatasetFacet,
            )
            from airflow.providers.common.compat.openlineage.utils.utils import translate_airflow_asset
            from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found,unused-ignore]
            from airflow.sdk import Asset
        except ImportError:
            return None
        outputs: list[Any] = []
        for file in self.landing.files if self.landing else ():
            namespace, name = dataset_name(file.uri)
            statistics = OutputStatisticsOutputDatasetFacet(rowCount=file.rows, size=file.bytes)
            outputs.append(OutputDataset(namespace, name, outputFacets={"outputStatistics": statistics}))
        if self.landing is None:
            # Airflow's provider does this itself, but only for a task that names neither inputs nor outputs.
            declared = [translate_airflow_asset(outlet, None) for outlet in self.outlets if isinstance(outlet, Asset)]
            outputs = [dataset for dataset in declared if dataset is not None]
        return OperatorLineage(
            inputs=[Dataset(self.source, f"jobs/{self.job_id}")],
            outputs=outputs,
            run_facets={"externalQuery": ExternalQueryRunFacet(self.job_id, self.source)},
        )


def dataset_name(place: str) -> tuple[str, str]:
    """Namespace and name of an object.

    Args:
        place: its address as `ObjectStoragePath` takes it, a local path among them.
    """
    scheme, _, rest = bare_uri(place).partition("://")
    store, _, key = rest.partition("/")
    return ("file", f"/{key}") if scheme == "file" else (f"{scheme}://{store}", key)

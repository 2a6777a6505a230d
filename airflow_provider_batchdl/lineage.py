"""What OpenLineage is told of a download: the vendor's job as input, the objects that landed as outputs.

Names follow OpenLineage's naming specification (https://openlineage.io/docs/spec/naming): a dataset's namespace says
which store it is in, its name where there.
"""

from __future__ import annotations

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
        landing: what it left; None where the result went into XCom.
    """

    source: str
    job_id: str
    landing: Landing | None = None

    @classmethod
    def of(cls, vendor: Vendor, job_id: str, landing: Landing | None) -> DownloadLineage:
        """The lineage of a download from the account of ``vendor``."""
        return cls(f"{vendor.name}://{urlsplit(vendor.account.base_url).netloc}", str(job_id), landing)

    def facets(self) -> Any:
        """An ``OperatorLineage``; None where Airflow's OpenLineage provider is not installed."""
        try:
            from airflow.providers.common.compat.openlineage.facet import (
                Dataset,
                ExternalQueryRunFacet,
                OutputDataset,
                OutputStatisticsOutputDatasetFacet,
            )
            from airflow.providers.openlineage.extractors import OperatorLineage  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        outputs = []
        for file in self.landing.files if self.landing else ():
            namespace, name = dataset_name(file.uri)
            statistics = OutputStatisticsOutputDatasetFacet(rowCount=file.rows, size=file.bytes)
            outputs.append(OutputDataset(namespace, name, outputFacets={"outputStatistics": statistics}))
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

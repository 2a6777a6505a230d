"""The rows: which engines play, and what each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from bench.compare.run import PEERS


@dataclass(frozen=True)
class Rival:
    """One row.

    Attributes:
        engine: a module of `engines`, or `airbyte`.
        name: what the row is called.
        package: whose version the page has.
    """

    engine: str
    name: str
    package: str

    @property
    def ours(self) -> bool:
        return self.engine == "ours"


RIVALS = (
    Rival("ours", "**batchdl**, `BatchJobOperator`", "airflow-provider-batchdl"),
    Rival("llm_batch", "`LLMBatchOperator`", "apache-airflow-providers-common-ai"),
    Rival("http_operator", "`HttpOperator`, deferrable", "apache-airflow-providers-http"),
    Rival("airbyte", "Airbyte's `AsyncRetriever`", "airbyte-cdk"),
)


def versions() -> Mapping[str, str]:
    """The version of each row's package.

    Raises:
        LookupError: a peer is not installed.
    """
    have = PEERS.versions()
    return {rival.package: version(rival.package) if rival.ours else have[rival.package.lower()] for rival in RIVALS}

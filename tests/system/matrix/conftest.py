"""The stacks that the matrix' cases run on, each started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.matrix.fixtures import kill, kill_vendors, trigger
from tests.support.stack.base import Stack
from tests.support.stack.cases import DISTRIBUTED, LOCAL
from tests.support.stack.distributed import DistributedStack
from tests.support.stack.local import LocalStack

__all__ = ["kill", "kill_vendors", "stack", "trigger"]

KINDS: dict[str, type[Stack]] = {"local": LocalStack, "distributed": DistributedStack}


@pytest.fixture(scope="package", params=[LOCAL, DISTRIBUTED])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An Airflow of either kind; what a test kills, it mends."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running

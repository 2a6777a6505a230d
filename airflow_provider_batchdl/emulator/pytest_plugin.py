"""The pytest fixture ``batchdl_emulator``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.core import Emulator


@pytest.fixture
def batchdl_emulator() -> Iterator[Emulator]:
    """Four vendors and their object store on free ports, with the vendors' rate limits."""
    # Imported here because pytest loads this module in every run where the package is installed.
    from airflow_provider_batchdl.emulator import Emulator

    with Emulator(port=0) as emulator:
        yield emulator

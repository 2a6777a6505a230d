"""The pytest fixture ``batchdl_emulator``, for a ``conftest.py`` that asks for it.

>>> pytest_plugins = ["airflow_provider_batchdl.emulator.pytest_plugin"]

There is no entry point by which pytest would find it: with one, pytest loads it in every run where the package is
installed, and compiles all modules of the package again, with their assertions rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_batchdl.emulator.core import Emulator

__all__ = ["batchdl_emulator"]


@pytest.fixture
def batchdl_emulator() -> Iterator[Emulator]:
    """The vendors and their object store on free ports, with the vendors' rate limits."""
    # Imported here, so that a run pays for it only where a test uses the fixture.
    from airflow_provider_batchdl.emulator import Emulator

    with Emulator(port=0) as emulator:
        yield emulator

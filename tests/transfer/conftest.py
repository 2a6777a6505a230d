"""What the transfer tests share: an account's client, a job to download, and no waiting between attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.transfer.job_download import Destination
from airflow_provider_batchdl.transfer.source import retry_budget
from airflow_provider_batchdl.vendors import vendor_class
from airflow_provider_batchdl.vendors.account import Account
from tests.support.fixtures import forget_process_state
from tests.support.mortal_store import MortalStore

ClientFor = Callable[[str], BatchClient]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the engine would have made between attempts; none is made."""
    made: list[float] = []
    monkeypatch.setattr(retry_budget, "sleep", made.append)
    return made


@pytest.fixture
def client_for(emulator: Emulator) -> Iterator[ClientFor]:
    """Clients of the emulator's accounts, with a rate limit that never slows a test."""
    forget_process_state()
    opened: list[BatchClient] = []

    def make(vendor: str) -> BatchClient:
        credentials = emulator.credentials[vendor]
        account = Account(
            emulator.urls[vendor],
            credentials.password,
            credentials.login,
            {**credentials.extra, "rate_limit": "10000/1"},
        )
        opened.append(BatchClient(vendor_class(vendor)(account)))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


def local(path: Path, *, folder: bool = False) -> Destination:
    """A destination on the local disk."""
    return Destination(LocalFileSystem(), str(path) + "/" * folder, str(path) + "/" * folder)


def left_in(folder: Path) -> list[str]:
    """Everything below ``folder``, temporary files included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def mortal() -> Iterator[type[MortalStore]]:
    MortalStore.store.clear()
    MortalStore.left = -1
    yield MortalStore
    MortalStore.store.clear()

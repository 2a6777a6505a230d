"""A fresh container for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.azurite import AzureStore, close_filesystem
from tests.transfer.sinks.azure.containers import Container


@pytest.fixture
def container(azure_store: AzureStore) -> Iterator[Container]:
    container = Container(azure_store)
    yield container
    close_filesystem(container.fs)
    container.client.close()

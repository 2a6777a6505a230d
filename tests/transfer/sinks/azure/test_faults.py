"""A failing Azure Blob Storage: transient failures are retried, lasting ones and refusals reported."""

from __future__ import annotations

import os
from typing import Literal

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.azure import BLOCK, AzureSink
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from bench.faults.s3_proxy import StoreFault
from tests.support.azurite import close_filesystem
from tests.transfer.sinks.azure.containers import Container, written


class LosesOneAnswer:
    """Breaks the connection off after the store has carried out a call."""

    def __init__(self, call: str) -> None:
        self.call: str | None = call

    def before(self, call: str) -> None:
        return None

    def after(self, call: str) -> None:
        if call == self.call:
            self.call = None
            raise ConnectionAbortedError


@pytest.mark.parametrize(
    ("size", "create_only", "call"),
    [
        (1000, False, "other"),
        (1000, True, "complete"),
        (2 * BLOCK, False, "part"),
        (2 * BLOCK, False, "complete"),
        (2 * BLOCK, True, "complete"),
    ],
)
def test_a_lost_answer(container: Container, size: int, call: str, create_only: bool) -> None:
    """The client repeats the request, which then finds the blob it has made itself."""
    data, meddler = os.urandom(size), LosesOneAnswer(call)
    with container.behind(meddler) as fs:
        assert written(container.sink(fs=fs, create_only=create_only), data).publish() == container.etag()
    assert meddler.call is None
    assert container.read() == data


@pytest.mark.parametrize(("call", "status"), [("part", 500), ("complete", 503)])
def test_transient_failures_are_retried(container: Container, call: str, status: int) -> None:
    data, fault = os.urandom(3 * BLOCK), StoreFault(call, status, times=2)
    with container.behind(fault) as fs:
        written(container.sink(fs=fs), data).publish()
    assert fault.struck == 2
    assert container.read() == data


@pytest.mark.parametrize(("call", "status"), [("part", 503), ("complete", 500)])
def test_what_keeps_failing_is_reported(container: Container, call: str, status: int) -> None:
    with container.behind(StoreFault(call, status, times=1000)) as fs:
        sink = container.sink(fs=fs)
        with pytest.raises(DestinationError, match=r"cannot (upload|publish)") as caught:
            written(sink, b"x" * 3 * BLOCK).publish()
        sink.discard()
    assert caught.value.retryable
    assert caught.value.__suppress_context__
    assert container.names() == []


@pytest.mark.parametrize(("size", "call"), [(1000, "other"), (2 * BLOCK + 5, "part"), (BLOCK + 5, "part")])
def test_bytes_that_change_on_the_way_are_refused_by_the_store(container: Container, size: int, call: str) -> None:
    with container.damaging(call, "flip") as fs, pytest.raises(DestinationError, match=r"(?i)md5") as caught:
        written(container.sink(fs=fs), os.urandom(size)).publish()
    assert caught.value.retryable
    assert container.names() == []


@pytest.mark.parametrize(("act", "error"), [("drop", "InvalidBlockList"), ("swap", "Auth")])
def test_blocks_that_get_lost_or_take_another_s_place_are_refused_by_the_store(
    container: Container, act: Literal["drop", "swap"], error: str
) -> None:
    """The account's key signs where a block belongs."""
    with container.damaging("part", act) as fs, pytest.raises(DestinationError, match=error):
        written(container.sink(fs=fs), os.urandom(2 * BLOCK)).publish()
    assert container.names() == []


def test_a_block_that_is_repeated_is_stored_once(container: Container) -> None:
    data = os.urandom(2 * BLOCK + 5)
    with container.damaging("part", "repeat") as fs:
        written(container.sink(fs=fs), data).publish()
    assert container.read() == data


def test_the_connections_time_outs_go_with_every_call(container: Container) -> None:
    settings = {"timeout": 40, "connection_timeout": 20, "read_timeout": 50}
    fs = container.store.filesystem(**settings)
    try:
        for size, create_only in ((1000, False), (2 * BLOCK, False), (1000, True)):
            sink = written(container.sink(f"{size}{create_only}", fs, create_only=create_only), b"x" * size)
            assert isinstance(sink, AzureSink)
            assert sink._upload is not None
            assert sink._upload.settings.items() >= settings.items()
            sink.publish()
    finally:
        close_filesystem(fs)
    assert len(container.names()) == 3


@pytest.mark.parametrize("size", [1, 2 * BLOCK])
class TestRefusals:
    def test_a_missing_container(self, container: Container, size: int) -> None:
        sink = open_sink(container.fs, f"{container.name}-no/x", f"abfs://{container.name}-no/x")
        with pytest.raises(DestinationError, match=r"ContainerNotFound.*Create the bucket or container") as caught:
            written(sink, b"x" * size).publish()
        assert f"abfs://{container.name}-no/x" in str(caught.value)
        assert not caught.value.retryable

    @pytest.mark.parametrize(("permissions", "hours"), [("rl", 1), ("rcwl", -1)])
    def test_a_signature_that_does_not_suffice(
        self, container: Container, size: int, permissions: str, hours: float
    ) -> None:
        sas = container.store.connection_string_with_sas(container.name, permissions, hours=hours)
        with container.connected(sas) as fs, pytest.raises(DestinationError, match=r"Auth\w+: .*credentials") as caught:
            written(container.sink(fs=fs), b"x" * size).publish()
        assert not caught.value.retryable
        assert "sig" not in str(caught.value).replace("signature", "")
        assert container.names() == []

    def test_a_signature_that_may_only_create(self, container: Container, size: int) -> None:
        sas = container.store.connection_string_with_sas(container.name, "cw")
        with container.connected(sas) as fs:
            written(container.sink(fs=fs, create_only=True), b"x" * size).publish()
        assert container.read() == b"x" * size

    def test_a_wrong_key(self, container: Container, size: int) -> None:
        wrong = container.store.connection_string.replace("teststoresecret", "wrongtestsecret")
        with container.connected(wrong) as fs, pytest.raises(DestinationError, match="credentials") as caught:
            written(container.sink(fs=fs), b"x" * size).publish()
        assert not caught.value.retryable

    def test_nobody_listens(self, container: Container, size: int) -> None:
        nobody = container.store.at("http://127.0.0.1:9").connection_string
        with container.connected(nobody) as fs, pytest.raises(DestinationError, match="can reach it") as caught:
            written(container.sink(fs=fs), b"x" * size).publish()
        assert caught.value.retryable

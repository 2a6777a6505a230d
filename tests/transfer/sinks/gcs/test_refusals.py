"""A Google Cloud Storage that refuses, or that nobody reaches: the error says what to do."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, impatient_sink_to, sink_to, write_and_publish


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_missing_bucket(bucket: GcsBucket, size: int) -> None:
    missing = f"{bucket.name}-missing"
    sink = open_sink(bucket.filesystem(), f"{missing}/x", f"gs://{missing}/x")
    with pytest.raises(DestinationError, match="404 The specified bucket does not exist") as caught:
        write_and_publish(sink, b"x" * size)
    assert f"gs://{missing}/x" in str(caught.value)
    assert "Create the bucket" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize(("call", "status"), [("start", 401), ("start", 403), ("chunk", 401), ("last", 403)])
def test_refused_credentials(bucket: GcsBucket, server: GcsStore, call: str, status: int) -> None:
    server.faults.append(Fault(call, status))
    with pytest.raises(DestinationError, match=str(status)) as caught:
        write_and_publish(sink_to(bucket), b"x" * LARGE)
    assert "credentials" in str(caught.value)
    assert not caught.value.retryable
    assert caught.value.__suppress_context__
    assert bucket.keys() == server.open_sessions() == []


def test_a_token_that_cannot_be_renewed(bucket: GcsBucket, server: GcsStore) -> None:
    from google.oauth2.credentials import Credentials

    server.faults.append(Fault("start", 401))
    fs = bucket.filesystem(token=Credentials(token="made-up-token"))  # type: ignore[no-untyped-call]
    with pytest.raises(DestinationError, match=r"401.*refresh.*credentials") as caught:
        write_and_publish(sink_to(bucket, fs=fs), b"x")
    assert not caught.value.retryable


@pytest.mark.parametrize("size", [1, LARGE])
def test_nobody_listens(bucket: GcsBucket, size: int) -> None:
    fs = bucket.filesystem(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(DestinationError, match="can reach it") as caught:
        write_and_publish(impatient_sink_to(bucket, fs=fs, seconds=0.6), b"x" * size)
    assert caught.value.retryable


def test_a_store_that_does_not_answer(bucket: GcsBucket) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        fs = bucket.filesystem(endpoint_url=endpoint, requests_timeout=0.1)
        with pytest.raises(DestinationError, match=r"ReadTimeout.*can reach it") as caught:
            write_and_publish(impatient_sink_to(bucket, fs=fs, seconds=0.6), b"x")
    assert caught.value.retryable

"""What is sent to Google Cloud Storage: what Google's own client sends, with the connection's credentials."""

from __future__ import annotations

import io
import logging
import os

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.gcs.objects import LARGE, sink_to, write_and_publish


def test_the_connection_s_credentials_go_with_every_request(bucket: GcsBucket, server: GcsStore) -> None:
    from google.oauth2.credentials import Credentials

    server.forget()
    fs = bucket.filesystem(token=Credentials(token="made-up-token"))  # type: ignore[no-untyped-call]
    write_and_publish(sink_to(bucket, fs=fs), b"x" * LARGE)
    write_and_publish(sink_to(bucket, "small", fs), b"x")
    assert server.authorizations == {"Bearer made-up-token"}


def test_the_requests_are_those_of_google_s_own_client(bucket: GcsBucket, server: GcsStore) -> None:
    """Neither the server here nor the documentation tells as well what the store takes."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    data = os.urandom(LARGE)
    server.forget()
    write_and_publish(sink_to(bucket, create_only=True), data)
    ours = list(server.uploads)
    server.forget()
    client = Client("tests", AnonymousCredentials(), client_options={"api_endpoint": bucket.endpoint_url})  # type: ignore[no-untyped-call]
    blob = client.bucket(bucket.name).blob("theirs", chunk_size=CHUNK)
    blob.upload_from_file(io.BytesIO(data), checksum="crc32c", if_generation_match=0)
    client.close()
    assert server.uploads == ours
    assert ours[-1][1] is not None
    assert bucket.read("theirs") == bucket.read("x")


def test_the_session_is_a_secret(
    bucket: GcsBucket, server: GcsStore, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its address authorises the upload: no log and no error shows it, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    server.faults += [Fault("chunk", 0), Fault("ask", 500), Fault("last", 403), Fault("cancel", 500)]
    with pytest.raises(DestinationError) as caught:
        write_and_publish(sink_to(bucket), b"x" * LARGE)
    assert [name for name in server.sessions if name in caplog.text + str(caught.value)] == []
    assert "gcssession" not in caplog.text + str(caught.value)

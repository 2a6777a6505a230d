"""What is sent to Google Cloud Storage: what Google's own client sends, with the connection's credentials."""

from __future__ import annotations

import io
import logging
import os
import threading
from pathlib import Path

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.gcs import CHUNK
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.sinks.gcs.objects import LARGE, impatient_sink_to, sink_to, write_and_publish


def test_the_connection_s_credentials_go_with_every_request(
    bucket: GcsBucket, server: GcsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.oauth2.credentials import Credentials

    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.forget()
    fs = bucket.filesystem(token=Credentials(token="made-up-token"))  # type: ignore[no-untyped-call]
    write_and_publish(sink_to(bucket, fs=fs), b"x" * LARGE)
    sink = sink_to(bucket, "dropped", fs)
    sink.write(b"x" * LARGE)
    sink.discard()
    assert "cancel" in server.calls  # before or after the chunk that was under way
    assert server.authorizations == {"Bearer made-up-token"}


@pytest.mark.parametrize(("pays", "project"), [(True, "ours"), ("theirs", "theirs"), (False, None)])
def test_who_pays_for_the_request(bucket: GcsBucket, server: GcsStore, pays: bool | str, project: str | None) -> None:
    fs = bucket.filesystem(requester_pays=pays, project="ours")
    write_and_publish(sink_to(bucket, fs=fs), b"x")
    assert server.user_projects == {project}


def test_the_requests_are_those_of_google_s_own_client(bucket: GcsBucket, server: GcsStore) -> None:
    """Neither the server here nor the documentation tells as well what the store takes.

    The CRC32C goes with our last request in any case, with theirs only in newer versions.
    """
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
    for thread in threading.enumerate():
        if "fetch_background" in thread.name:  # newer versions ask for the bucket's metadata, for minutes if need be
            thread.join(10)
            assert not thread.is_alive()
    client.close()
    assert [sent for sent, _ in server.uploads] == [sent for sent, _ in ours]
    assert server.uploads[-1][1] in (ours[-1][1], None)
    assert ours[-1][1] is not None
    assert bucket.read("theirs") == bucket.read("x")


@pytest.mark.parametrize("status", [0, 403])
def test_the_session_is_a_secret(
    bucket: GcsBucket, server: GcsStore, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Its URL authorises the upload: no log and no error shows it, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    for name in ("google", "google.auth.transport.requests", "google.api_core.retry"):  # as somebody debugs them
        caplog.set_level(logging.DEBUG, name)
    server.faults += [Fault("chunk", 0), Fault("last", status, times=9999), Fault("cancel", 500)]
    with pytest.raises(DestinationError) as caught:
        write_and_publish(impatient_sink_to(bucket, seconds=0.6), b"x" * LARGE)
    assert server.sessions
    shown = caplog.text + str(caught.value) + "".join(str(vars(record)) for record in caplog.records)
    assert "gcssession" not in shown

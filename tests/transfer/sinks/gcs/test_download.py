"""A whole result in Google Cloud Storage: its parts, its manifest, and what is there already."""

from __future__ import annotations

import hashlib
import json

import pytest

from airflow_provider_batchdl.emulator import Emulator, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import Destination, download
from airflow_provider_batchdl.transfer.sinks.factory import write_small
from tests.support.gcs import GcsBucket
from tests.support.gcs_store import Fault, GcsStore
from tests.transfer.conftest import ClientFor
from tests.transfer.sinks.gcs.objects import MIB


@pytest.fixture
def place(gcs_bucket: GcsBucket) -> Destination:
    name = f"{gcs_bucket.name}/results/export.jsonl"
    return Destination(gcs_bucket.filesystem(), name, f"gs://conn@{name}")


def test_several_parts_and_their_manifest(
    emulator: Emulator, client_for: ClientFor, gcs_bucket: GcsBucket, place: Destination
) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=24 * MIB, format="jsonl", parts=3), state="succeeded")
    landing = download(client_for("batchcom"), job.id, place)
    keys = [f"results/export-part-000{number}.jsonl" for number in (1, 2, 3)]
    assert gcs_bucket.keys() == [*keys, "results/export_manifest.json"]
    assert landing.verified_by[-1] == "store-checksum"
    for key, file, true in zip(keys, landing.files, job.files(), strict=True):
        assert hashlib.sha256(gcs_bucket.read(key)).hexdigest() == file.sha256 == true.sha256
    assert Landing.from_dict(json.loads(gcs_bucket.read("results/export_manifest.json"))) == landing


def test_what_is_there_is_in_the_way(
    emulator: Emulator, client_for: ClientFor, gcs_bucket: GcsBucket, place: Destination
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    download(client_for("apartmentiq"), job.id, place, if_exists="error")
    etag = gcs_bucket.resource("results/export.jsonl")["etag"]
    with pytest.raises(DestinationError, match="exists already") as caught:
        download(client_for("apartmentiq"), job.id, place, if_exists="error")
    assert not caught.value.retryable
    assert gcs_bucket.resource("results/export.jsonl")["etag"] == etag


def test_what_is_there_is_recognised(
    emulator: Emulator, client_for: ClientFor, gcs_bucket: GcsBucket, place: Destination
) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=9_000, format="jsonl", parts=2), state="succeeded")
    landing = download(client_for("batchcom"), job.id, place, if_exists="skip")
    asked = len(emulator.requests)
    again = download(client_for("batchcom"), job.id, place, if_exists="skip")
    assert [file.uri for file in again.files] == [file.uri for file in landing.files]
    assert "store" not in [request.operation for request in emulator.requests[asked:]]
    write_small(place.fs, place.part(1, "").path, "x", b"another's, and longer or shorter")
    download(client_for("batchcom"), job.id, place, if_exists="skip")
    assert hashlib.sha256(gcs_bucket.read("results/export-part-0001.jsonl")).hexdigest() == landing.files[0].sha256


def test_a_store_that_does_not_let_us_look(
    emulator: Emulator, client_for: ClientFor, bucket: GcsBucket, server: GcsStore
) -> None:
    server.faults.append(Fault("read", 403, times=99))
    fs = bucket.filesystem()
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    place = Destination(fs, f"{bucket.name}/x", "x")
    [landed] = download(client_for("apartmentiq"), job.id, place, if_exists="error").files
    with pytest.raises(DestinationError, match="exists already") as caught:  # the store says so when it is created
        download(client_for("apartmentiq"), job.id, place, if_exists="error")
    assert not caught.value.retryable
    server.faults.clear()
    assert hashlib.sha256(bucket.read("x")).hexdigest() == landed.sha256

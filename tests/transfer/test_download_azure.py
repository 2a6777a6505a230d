"""A whole result in Azure Blob Storage: through Airflow's paths, what is there already, and in little memory."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import DestinationError, UnexpectedResponseError
from airflow_provider_batchdl.hooks._storage import destination_at
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import Destination, download
from tests.support.azurite import AzureStore, close_filesystem
from tests.support.child import finished, order
from tests.transfer.conftest import ClientFor

MIB = 1 << 20


@pytest.fixture
def place(azure_store: AzureStore) -> Iterator[Destination]:
    """An object in an empty container, as an operator comes to it by a URL; the connection needs no provider here."""
    conn_id, fs = f"azure_{uuid.uuid4().hex[:8]}", azure_store.filesystem()
    attach(protocol="abfs", conn_id=conn_id, fs=fs)
    yield destination_at(f"abfs://{conn_id}@{azure_store.container()}/in/result.csv")
    close_filesystem(fs)


def folder_of(place: Destination) -> Destination:
    return destination_at(place.uri.rpartition("/")[0] + "/")


def there(place: Destination) -> list[str]:
    place.fs.invalidate_cache()
    return sorted(path.rpartition("/")[2] for path in place.fs.find(place.path.partition("/")[0]))


def stored(emulator: Emulator) -> int:
    return [request.operation for request in emulator.requests].count("store")


@pytest.mark.parametrize("size", [9_000, 20 * MIB])
def test_a_result_lands_as_it_was_served(
    emulator: Emulator, client_for: ClientFor, place: Destination, size: int
) -> None:
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="csv"), state="succeeded")
    emulator.add_fault(Fault("cut", operation="store", after_bytes=size // 2))
    landing = download(client_for("apartmentiq"), job.id, place)
    (served,), (landed,) = job.files(), landing.files
    assert landed.sha256 == served.sha256
    assert landing.resumed == 1
    assert landing.verified_by[-1] == "store-checksum"
    with ObjectStoragePath(landed.uri).open("rb") as content:  # type: ignore[no-untyped-call]
        assert hashlib.sha256(content.read()).hexdigest() == served.sha256
    assert there(place) == ["result.csv"]


def test_every_part_is_landed_and_the_manifest_tells_of_them(
    emulator: Emulator, client_for: ClientFor, place: Destination
) -> None:
    job = emulator.add_job("batchcom", result=ResultSpec(bytes=90_000, format="jsonl", parts=3), state="succeeded")
    landing = download(client_for("batchcom"), job.id, folder_of(place))
    names = [f"{job.id}-part-000{part}.json" for part in (1, 2, 3)]
    assert there(place) == sorted(["_manifest.json", *names])
    manifest = place.fs.cat_file(place.path.rpartition("/")[0] + "/_manifest.json")
    assert Landing.from_dict(json.loads(manifest)) == landing


def test_nothing_is_visible_when_the_last_part_cannot_be_had(
    emulator: Emulator, client_for: ClientFor, place: Destination
) -> None:
    spec = ResultSpec(bytes=3 * MIB, format="jsonl", parts=3)
    job = emulator.add_job("batchcom", result=spec, state="succeeded")
    emulator.add_fault(Fault("html", operation="store", after=2, times=20))
    with pytest.raises(UnexpectedResponseError):
        download(client_for("batchcom"), job.id, folder_of(place))
    assert there(place) == []


def test_what_is_there_is_told_before_anything_is_asked_for(
    emulator: Emulator, client_for: ClientFor, place: Destination
) -> None:
    place.fs.pipe_file(place.path, b"yesterday's")
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    with pytest.raises(DestinationError, match="exists already") as caught:
        download(client_for("apartmentiq"), job.id, place, if_exists="error")
    assert not caught.value.retryable
    assert stored(emulator) == 0
    assert place.fs.cat_file(place.path) == b"yesterday's"


def test_what_a_killed_writer_left_is_nothing(
    emulator: Emulator, client_for: ClientFor, place: Destination, azure_store: AzureStore
) -> None:
    container, _, name = place.path.partition("/")
    with azure_store.client() as client, client.get_blob_client(container, name) as blob:
        blob.stage_block("0" * 32, b"half a result")
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    download(client_for("apartmentiq"), job.id, place, if_exists="error")
    assert there(place) == ["result.csv"]


def test_a_finished_download_is_not_repeated(emulator: Emulator, client_for: ClientFor, place: Destination) -> None:
    client = client_for("apartmentiq")
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=9_000, format="csv"), state="succeeded")
    first = download(client, job.id, place, if_exists="skip")
    assert download(client, job.id, place, if_exists="skip") == first
    assert stored(emulator) == 1
    place.fs.pipe_file(place.path, b"something else")
    assert download(client, job.id, place, if_exists="skip").files[0].sha256 == first.files[0].sha256
    assert stored(emulator) == 2
    assert place.fs.info(place.path)["size"] == first.bytes


@pytest.mark.big
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc to measure the peak")
def test_a_large_result_lands_in_little_memory(emulator: Emulator, azure_store: AzureStore) -> None:
    size, container = 160 * MIB, azure_store.container()
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=size, format="csv"), state="succeeded")
    azure = {"connection_string": azure_store.connection_string}
    told = order(emulator, job.id, f"{container}/result.csv", azure=azure)
    result, _ = finished("tests.transfer.memory_child", told, timeout=500)
    assert result["landing"]["files"][0]["sha256"] == job.files()[0].sha256
    with azure_store.client() as client, client.get_blob_client(container, "result.csv") as blob:
        assert blob.get_blob_properties().size == size
        blob.delete_blob()
    print(f"{result['over'] / MIB:.1f} MiB over {result['before'] / MIB:.0f} MiB")  # noqa: T201 pytest -rP shows it
    assert result["over"] <= 64 * MIB

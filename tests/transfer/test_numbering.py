"""Parts of a result land at objects of their own, whatever numbers the vendor gives them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import UnexpectedResponseError
from airflow_provider_batchdl.jobs import Job, Landing, ResultFile
from airflow_provider_batchdl.transfer.job_download import download, fetch
from airflow_provider_batchdl.transfer.numbering import numbered
from airflow_provider_batchdl.vendors.base import ApiRequest
from airflow_provider_batchdl.vendors.results import Results
from tests.support.linked_vendor import JOB, Paged, Served, client_of, linked_service
from tests.transfer.conftest import ClientFor, left_in, local

ODD: list[tuple[Any, ...]] = [
    (0, 1, 2),
    (1, 1, 2),
    (2, None, 3),
    (None, None, None),
    (-1, -1, -1),
    (-3, -2, -1),
    (1, 2, 2**63),
    (1, 10**30, 10**31),
    (2, 3, 4),
    (1, 3, 5),
    ("1", "2", "x"),
    (0, 0, 0),
]


@pytest.mark.parametrize(("numbers", "folder"), [*((each, False) for each in ODD), (ODD[0], True)], ids=str)
def test_every_part_lands_as_an_object_of_its_own(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, numbers: tuple[Any, ...], folder: bool
) -> None:
    spec = ResultSpec(bytes=9_000, format="jsonl", parts=3, part_numbers=numbers)
    job = emulator.add_job("batchcom", result=spec)
    place = local(tmp_path, folder=True) if folder else local(tmp_path / "export.jsonl")
    landing = download(client_for("batchcom"), job.id, place)
    assert [file.part for file in landing.files] == [1, 2, 3]
    assert [file.sha256 for file in landing.files] == [file.sha256 for file in job.files()]
    assert len(left_in(tmp_path)) == 4
    for file in landing.files:
        assert hashlib.sha256(Path(file.uri).read_bytes()).hexdigest() == file.sha256
    [manifest] = tmp_path.glob("*_manifest.json")
    assert Landing.from_dict(json.loads(manifest.read_text())) == landing


def test_a_retry_gives_the_same_numbers(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    spec = ResultSpec(bytes=9_000, format="jsonl", parts=3, part_numbers=(2, None, 2))
    job, client = emulator.add_job("batchcom", result=spec), client_for("batchcom")
    first, second = (download(client, job.id, local(tmp_path / "x.jsonl"), if_exists="skip") for _ in range(2))
    assert first == second


def test_the_vendors_numbers_are_the_order_where_they_are_whole(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    spec = ResultSpec(bytes=9_001, format="jsonl", parts=3, part_numbers=(3, 1, 2))
    job, client = emulator.add_job("batchcom", result=spec), client_for("batchcom")
    last, first, second = job.files()
    landing = download(client, job.id, local(tmp_path, folder=True))
    assert [(file.part, file.sha256) for file in landing.files] == [
        (1, first.sha256),
        (2, second.sha256),
        (3, last.sha256),
    ]
    rows = fetch(client, job.id, max_bytes=100_000)
    landed = [json.loads(line) for file in landing.files for line in Path(file.uri).read_text().splitlines()]
    assert rows == landed


def test_other_numbers_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    files = tuple(ResultFile(str(at), part=part) for at, part in enumerate((7, 7)))
    assert [file.part for file in numbered(files)] == [1, 2]
    assert "numbers the parts of the result 7, 7; they are numbered 1 to 2" in caplog.text
    caplog.clear()
    assert [file.part for file in numbered(tuple(ResultFile(str(at)) for at in range(3)))] == [1, 2, 3]
    assert numbered((ResultFile("1", part=9),)) == (ResultFile("1"),)
    assert numbered(()) == ()
    assert not caplog.text


@pytest.mark.parametrize("part", [True, 1.0, "1"])
def test_what_is_no_whole_number_is_none(part: Any) -> None:
    files = (ResultFile("a", part=part), ResultFile("b", part=2))
    assert [file.part for file in numbered(files)] == [1, 2]


class TestFilesThatAreListedTwice:
    def client(
        self, emulator: Emulator, client_for: ClientFor, changes: list[dict[str, Any]], parts: int = 2
    ) -> tuple[BatchClient, str, list[str]]:
        """A client of a job whose list has the files that it has, and the first one again, changed."""
        spec = ResultSpec(bytes=9_000, format="jsonl", parts=parts)
        job, client = emulator.add_job("batchcom", result=spec, state="succeeded"), client_for("batchcom")
        known = client.run(client.vendor.get_job(job.id)).files
        files = [{"id": file.id, "part": file.part, "size": file.size} for file in known]
        files += [{**files[0], **change} for change in changes]
        body = json.dumps({"id": job.id, "status": "SUCCESS", "files": files})
        emulator.add_fault(
            Fault("status", operation="status", status=200, body=body, content_type="application/json", times=9)
        )
        return client, job.id, [file.sha256 for file in job.files()]

    @pytest.mark.parametrize("parts", [1, 2])
    @pytest.mark.parametrize("times", [1, 3])
    def test_the_same_entry_lands_once(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, caplog: pytest.LogCaptureFixture,
        times: int, parts: int,
    ) -> None:  # fmt: skip
        client, job_id, digests = self.client(emulator, client_for, [{}] * times, parts)
        landing = download(client, job_id, local(tmp_path / "x.jsonl"), manifest=True)
        assert [file.sha256 for file in landing.files] == digests
        assert [file.part for file in landing.files] == ([None] if parts == 1 else [1, 2])
        assert f"Batch.com lists a file of job {job_id} more than once; it lands once" in caplog.text
        assert download(client, job_id, local(tmp_path / "x.jsonl"), if_exists="skip").files == landing.files
        lines = b"".join(Path(file.uri).read_bytes() for file in landing.files).splitlines()
        assert fetch(client, job_id, max_bytes=100_000) == [json.loads(line) for line in lines]

    @pytest.mark.parametrize("change", [{"part": 3}, {"part": None}, {"size": 1}, {"size": None}], ids=str)
    def test_one_file_as_two_is_refused(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, change: dict[str, Any]
    ) -> None:
        client, job_id, _ = self.client(emulator, client_for, [change])
        with pytest.raises(UnexpectedResponseError, match="two files of the job with one id") as caught:
            download(client, job_id, local(tmp_path, folder=True))
        assert (caught.value.vendor, caught.value.job_id, left_in(tmp_path)) == ("batchcom", job_id, [])

    def test_two_files_of_one_id_that_are_asked_for_by_their_number(self, tmp_path: Path) -> None:
        class Numbered(Paged):
            next_file = Results.next_file

            def result_files(self, job: Job) -> tuple[ResultFile, ...]:
                return (ResultFile(JOB, part=1), ResultFile(JOB, part=2))

            def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
                return ApiRequest("download", "GET", f"/pages/{file.part}", job_id=job.id)

        with linked_service() as service, client_of(service, Numbered) as client:
            service.files |= {"1": Served(b"a\n1\n"), "2": Served(b"a\n2\n")}
            landing = download(client, JOB, local(tmp_path / "x.csv"))
        assert [Path(file.uri).read_bytes() for file in landing.files] == [b"a\n1\n", b"a\n2\n"]

"""A result in pages, each named by a header of the response before: parts, or one CSV with one header."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    DestinationError,
    InvalidRequestError,
    ResultTooLargeError,
    TransferError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, Landing, ResultFile
from airflow_provider_batchdl.transfer import pages
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.job_download import download, fetch
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from tests.support.linked_vendor import (
    JOB,
    NEXT_PAGE,
    LinkedService,
    Paged,
    Served,
    client_of,
    linked_service,
    serve_pages,
)
from tests.support.s3_bucket import Bucket, fresh_bucket
from tests.support.seaweedfs import S3Store
from tests.transfer.conftest import left_in, local

PAGES = (b"id,word\n1,one\n2,two\n", b"id,word\n3,three\n", b"id,word\n4,four\n")
JOINED = b"id,word\n1,one\n2,two\n3,three\n4,four\n"


@pytest.fixture
def service() -> Iterator[LinkedService]:
    with linked_service() as service:
        yield service


def join(service: LinkedService, tmp_path: Path, **options: Any) -> Landing:
    with client_of(service, Paged) as client:
        return download(client, JOB, local(tmp_path / "out.csv"), join_pages=True, **options)


def test_each_page_lands_as_a_part(service: LinkedService, tmp_path: Path) -> None:
    serve_pages(service, *PAGES)
    with client_of(service, Paged) as client:
        landing = download(client, JOB, local(tmp_path / "out.csv"))
        assert fetch(client, JOB, max_bytes=100)[2] == {"id": "3", "word": "three"}  # type: ignore[index]
    names = [f"out-part-000{number}.csv" for number in (1, 2, 3)]
    assert left_in(tmp_path) == [*names, "out_manifest.json"]
    assert [(tmp_path / name).read_bytes() for name in names] == list(PAGES)
    assert [(file.part, file.pages) for file in landing.files] == [(1, None), (2, None), (3, None)]


@pytest.mark.parametrize("join_pages", [False, True])
def test_a_sole_page_is_the_file_itself(service: LinkedService, tmp_path: Path, join_pages: bool) -> None:
    serve_pages(service, b'{"not": "a table"}', Content_Type="application/json")
    with client_of(service, Paged) as client:
        landing = download(client, JOB, local(tmp_path / "out.json"), join_pages=join_pages)
    assert left_in(tmp_path) == ["out.json"]
    assert [(file.part, file.pages) for file in landing.files] == [(None, 1 if join_pages else None)]


def test_pages_are_joined_into_one_file(service: LinkedService, tmp_path: Path) -> None:
    serve_pages(service, *PAGES)
    landing = join(service, tmp_path)
    assert left_in(tmp_path) == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == JOINED
    [file] = landing.files
    assert (file.bytes, file.rows, file.pages, file.etag, file.part) == (len(JOINED), 4, 3, None, None)
    assert file.sha256 == hashlib.sha256(JOINED).hexdigest()
    assert file.verified_by == landing.verified_by == ("content-length", "csv-end")
    assert join(service, tmp_path, sha256=False).files[0].sha256 is None
    with client_of(service, Paged) as client:
        rows = fetch(client, JOB, max_bytes=len(JOINED), join_pages=True)
        assert rows == list(csv.DictReader(io.StringIO(JOINED.decode())))
        for limit in (len(JOINED) - 1, 25, 1):
            with pytest.raises(ResultTooLargeError):
                fetch(client, JOB, max_bytes=limit, join_pages=True)


BOM = b"\xef\xbb\xbf"
LARGE = b"a,b\n" + b"5,6\n" * 600_000


@pytest.mark.parametrize(
    ("served", "joined", "rows"),
    [
        ((b"a,b\r\n1,2\r\n", b"a,b\r\n3,4\r\n"), b"a,b\r\n1,2\r\n3,4\r\n", 2),
        ((b"a,b\r\n1,2", b"a,b\r\n3,4"), b"a,b\r\n1,2\r\n3,4", 2),
        ((b"a,b", b"a,b\n1,2\n"), b"a,b\n1,2\n", 1),
        ((b"a,b\n", b"a,b", b"a,b\n1,2"), b"a,b\n1,2", 1),
        ((b"", b"a,b\n1,2\n", b"", b"a,b\n3,4\n", b""), b"a,b\n1,2\n3,4\n", 2),
        ((b"", b""), b"", 0),
        ((b"a,b\n", b"a,b\n"), b"a,b\n", 0),
        ((BOM + b"a,b\n1,2\n", BOM + b"a,b\n3,4\n"), BOM + b"a,b\n1,2\n3,4\n", 2),
        ((b"sep=;\r\na;b\r\n1;2\r\n", b"sep=;\r\na;b\r\n3;4\r\n"), b"sep=;\r\na;b\r\n1;2\r\n3;4\r\n", 2),
        ((b'"a\nx",b\n1,2\n', b'"a\nx",b\n3,4\n'), b'"a\nx",b\n1,2\n3,4\n', 2),
        ((LARGE + b"1,2", LARGE + b"3,4"), LARGE + b"1,2\n" + LARGE[4:] + b"3,4", 1_200_002),
        ((b'a,b\n1,"2\n2"\n', b'a,b\n"3\n",4\n'), b'a,b\n1,"2\n2"\n"3\n",4\n', 2),
    ],
)
def test_a_joined_file_has_each_record_once(
    service: LinkedService, tmp_path: Path, served: tuple[bytes, ...], joined: bytes, rows: int
) -> None:
    serve_pages(service, *served)
    landing = join(service, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == joined
    assert (landing.files[0].rows, landing.files[0].pages) == (rows, len(served))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (b"id,name\n3,three\n", "another header"),
        (b"1,one\n", "another header"),
        (b"\xff\xfei\0d\0\n\0", "encoding|another header|no CSV"),
    ],
)
def test_a_page_with_another_header_is_refused(service: LinkedService, tmp_path: Path, other: bytes, why: str) -> None:
    serve_pages(service, PAGES[0], other)
    with pytest.raises(UnexpectedResponseError, match=why) as caught:
        join(service, tmp_path)
    assert not caught.value.retryable
    assert left_in(tmp_path) == []


def test_pages_that_are_no_csv_are_refused(service: LinkedService, tmp_path: Path) -> None:
    serve_pages(service, b'{"a": 1}\n', b'{"a": 2}\n', Content_Type="application/jsonl")
    with pytest.raises(UnexpectedResponseError, match="no CSV"):
        join(service, tmp_path)
    assert left_in(tmp_path) == []


def test_a_page_that_breaks_off_is_resumed_by_itself(service: LinkedService, tmp_path: Path) -> None:
    serve_pages(service, *PAGES)
    service.files["p2"].cut = [9, 3]
    landing = join(service, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == JOINED
    assert [name for name, _ in service.stored] == ["p1", "p2", "p2", "p2", "p3"]
    assert [wanted for name, wanted in service.stored if name == "p2"] == [None, "bytes=9-", "bytes=12-"]
    assert (landing.resumed, landing.restarted) == (2, 0)
    service.stored.clear()
    service.files["p3"].cut = [5]
    service.files["p3"].headers["ETag"] = 'W/"weak"'
    landing = join(service, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == JOINED
    assert [name for name, _ in service.stored] == ["p1", "p2", "p3", "p3"]


def test_a_page_that_never_is_whole_leaves_nothing(service: LinkedService, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("the previous result")
    serve_pages(service, *PAGES)
    service.files["p3"].cut = [1] * 50
    service.files["p3"].headers["ETag"] = 'W/"weak"'
    with pytest.raises(TransferError):
        join(service, tmp_path)
    assert left_in(tmp_path) == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "the previous result"


@pytest.mark.parametrize("join_pages", [False, True])
def test_pages_without_an_end_are_refused(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, join_pages: bool
) -> None:
    serve_pages(service, *PAGES)
    service.files["p3"].headers[NEXT_PAGE] = "p2"
    with client_of(service, Paged) as client:
        with pytest.raises(UnexpectedResponseError, match="p2 is named twice"):
            download(client, JOB, local(tmp_path / "out.csv"), join_pages=join_pages)
        with pytest.raises(UnexpectedResponseError, match="p2 is named twice"):
            fetch(client, JOB, max_bytes=1_000, join_pages=join_pages)
        service.files["p3"].headers[NEXT_PAGE] = "null"
        monkeypatch.setattr(pages, "MOST_PAGES", 2)
        with pytest.raises(UnexpectedResponseError, match="more than 2 pages"):
            download(client, JOB, local(tmp_path / "out.csv"), join_pages=join_pages)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("join_pages", [False, True])
def test_what_a_vendors_class_does_wrong_is_typed(service: LinkedService, tmp_path: Path, join_pages: bool) -> None:
    class Raising(Paged):
        def next_file(self, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
            return ResultFile(headers["x-missing"])

    class Link(Paged):
        def next_file(self, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
            return ResultFile("https://store.example/x?sig=SIGNED")

    serve_pages(service, *PAGES)
    errors: dict[type[Paged], type[BatchDlError]] = {Raising: UnexpectedResponseError, Link: InvalidRequestError}
    for kind, error in errors.items():
        with client_of(service, kind) as client, pytest.raises(error) as caught:
            download(client, JOB, local(tmp_path / "out.csv"), join_pages=join_pages)
        assert "SIGNED" not in str(caught.value)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("join_pages", [False, True])
def test_what_a_vendors_class_does_wrong_once_the_page_is_there_leaves_nothing(
    service: LinkedService, tmp_path: Path, join_pages: bool
) -> None:
    asked: list[str] = []

    class Forgetful(Paged):
        def next_file(self, job: Job, file: ResultFile, headers: Mapping[str, str]) -> ResultFile | None:
            asked.append(file.id)
            if len(asked) > 1:
                raise KeyError("next")
            return super().next_file(job, file, headers)

    serve_pages(service, *PAGES)
    with client_of(service, Forgetful) as client, pytest.raises(UnexpectedResponseError, match="KeyError"):
        download(client, JOB, local(tmp_path / "out.csv"), join_pages=join_pages)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("sink", [SpoolSink, LocalSink])
def test_a_killed_join_starts_over(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sink: type[Any]
) -> None:
    serve_pages(service, *PAGES)
    write, calls = sink.write, []

    def interrupted(self: Any, data: bytes) -> None:
        calls.append(data)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(sink, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            join(service, tmp_path)
    assert not (tmp_path / "out.csv").exists()
    landing = join(service, tmp_path)
    assert left_in(tmp_path) == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == JOINED
    assert landing.files[0].sha256 == hashlib.sha256(JOINED).hexdigest()


def test_a_killed_try_of_parts_is_resumed_although_the_rest_of_a_page_does_not_name_the_next(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = [b"id,word\n" + b"%d,one\n" % number * 400_000 for number in (1, 2, 3)]
    serve_pages(service, *large)
    write = LocalSink.write
    total = [0]

    def interrupted(self: LocalSink, data: bytes) -> None:
        write(self, data)
        total[0] += len(data)
        if total[0] > 4_000_000:
            raise KeyboardInterrupt

    with client_of(service, Paged) as client:
        with monkeypatch.context() as patched:
            patched.setattr(LocalSink, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                download(client, JOB, local(tmp_path / "out.csv"))
        service.stored.clear()
        landing = download(client, JOB, local(tmp_path / "out.csv"))
    assert [Path(file.uri).read_bytes() for file in landing.files] == large
    assert (landing.resumed, landing.restarted) == (2, 0)
    assert [wanted is None for _, wanted in service.stored] == [False, False, True]


@pytest.mark.parametrize("join_pages", [False, True])
def test_a_complete_result_is_skipped(service: LinkedService, tmp_path: Path, join_pages: bool) -> None:
    serve_pages(service, *PAGES)
    with client_of(service, Paged) as client:
        place = local(tmp_path / "out.csv")
        first = download(client, JOB, place, join_pages=join_pages, if_exists="skip")
        service.stored.clear()
        assert download(client, JOB, place, join_pages=join_pages, if_exists="skip") == first
        assert service.stored == []
        other = download(client, JOB, place, join_pages=not join_pages, if_exists="skip")
    assert len(other.files) == (3 if join_pages else 1)
    assert Landing.from_dict(json.loads((tmp_path / "out_manifest.json").read_text())) == other


@pytest.mark.parametrize("join_pages", [False, True])
def test_an_existing_object_is_in_the_way(service: LinkedService, tmp_path: Path, join_pages: bool) -> None:
    serve_pages(service, *PAGES)
    (tmp_path / ("out.csv" if join_pages else "out-part-0003.csv")).write_text("somebody's")
    with client_of(service, Paged) as client, pytest.raises(DestinationError):
        download(client, JOB, local(tmp_path / "out.csv"), join_pages=join_pages, if_exists="error")
    assert len(left_in(tmp_path)) == 1


def test_other_kinds_have_their_own_pages(service: LinkedService, tmp_path: Path) -> None:
    serve_pages(service, *PAGES)
    service.files["e1"] = Served(b"id,why\n8,odd\n", kind="errors", headers={NEXT_PAGE: "e2"})
    service.files["e2"] = Served(b"id,why\n9,odd\n", listed=False)
    join(service, tmp_path)
    assert left_in(tmp_path) == ["out.csv", "out.errors.csv", "out_manifest.json"]
    assert (tmp_path / "out.errors.csv").read_bytes() == b"id,why\n8,odd\n9,odd\n"


def test_memory_and_disk_are_those_of_one_page(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_spools: list[int] = []
    write, discard = SpoolSink.write, SpoolSink.discard
    most = [0]

    def counted(self: SpoolSink, data: bytes) -> None:
        if id(self) not in open_spools:
            open_spools.append(id(self))
        most[0] = max(most[0], len(open_spools))
        write(self, data)

    def closed(self: SpoolSink) -> None:
        if id(self) in open_spools:
            open_spools.remove(id(self))
        discard(self)

    monkeypatch.setattr(SpoolSink, "write", counted)
    monkeypatch.setattr(SpoolSink, "discard", closed)
    page = b"id,word\n" + b"7,seven\n" * 2_000
    peaks = []
    for count in (20, 100):
        serve_pages(service, *[page] * count)
        tracemalloc.start()
        landing = join(service, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (landing.files[0].rows, landing.files[0].pages) == (2_000 * count, count)
    assert most == [1]
    assert peaks[1] < peaks[0] + 500_000  # a quarter of what eighty pages have


@pytest.fixture
def bucket(s3_store: S3Store) -> Iterator[Bucket]:
    with fresh_bucket(s3_store) as bucket:
        yield bucket


def test_on_s3(service: LinkedService, bucket: Bucket) -> None:
    large = [b"id,word\n" + b"%d,one\n" % number * 500_000 for number in (1, 2, 3)]
    serve_pages(service, *large)
    place = Destination(bucket.fs, f"{bucket.name}/out.csv", f"s3://conn@{bucket.name}/out.csv")
    with client_of(service, Paged) as client:
        service.files["p3"].cut = [1] * 50
        service.files["p3"].headers["ETag"] = 'W/"weak"'
        with pytest.raises(TransferError):
            download(client, JOB, place, join_pages=True)
        assert bucket.keys() == []
        assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []
        service.files["p3"].cut = []
        landing = download(client, JOB, place, join_pages=True)
    expected = large[0] + b"".join(page.partition(b"\n")[2] for page in large[1:])
    assert bucket.read("out.csv") == expected
    assert landing.files[0].sha256 == hashlib.sha256(expected).hexdigest()
    assert landing.files[0].rows == 1_500_000

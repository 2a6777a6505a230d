"""A link in a vendor's answer: asked for again whenever it is refused, and stored nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl.exceptions import (
    InvalidRequestError,
    ResultExpiredError,
    UnsafeRedirectError,
)
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.job_download import download, fetch
from airflow_provider_batchdl.transfer.parallel import division, plan, scaling
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.source import retry_budget
from airflow_provider_batchdl.transfer.state import WORK_FOLDER
from airflow_provider_batchdl.triggers.events import job_to_event
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, JobPage
from airflow_provider_batchdl.vendors.listing import ListedJob
from airflow_provider_batchdl.vendors.results import Results
from tests.support.linked_vendor import JOB, KEY, Linked, LinkedService, Served, client_of, linked_service
from tests.transfer.conftest import left_in, local

ROWS = b"word,count\n" + b"".join(b"w%d,%d\n" % (number, number) for number in range(300_000))


@pytest.fixture
def service() -> Iterator[LinkedService]:
    with linked_service() as service:
        yield service


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture, tmp_path: Path, service: LinkedService) -> Iterator[None]:
    """Nothing that is logged or on the disk has a signature or the key."""
    with caplog.at_level(logging.DEBUG):
        yield
    texts = [caplog.text, *(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())]
    for secret in (KEY, *service.signatures):
        assert not [text for text in texts if secret in text]


@pytest.mark.usefixtures("everything")
def test_a_result_behind_a_link_lands(service: LinkedService, tmp_path: Path) -> None:
    service.files["x.csv"] = Served(ROWS)
    with client_of(service) as client:
        landing = download(client, JOB, local(tmp_path / "out.csv"), manifest=True)
        assert fetch(client, JOB, max_bytes=len(ROWS))[1] == {"word": "w1", "count": "1"}  # type: ignore[index]
    assert (tmp_path / "out.csv").read_bytes() == ROWS
    assert (landing.files[0].rows, landing.restarted) == (300_000, 0)
    assert service.asked == [f"/jobs/{JOB}"] * 4  # each time the job, then the link
    assert "Signature" not in json.dumps(landing.to_dict())


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("at", [0, 1, 65_536, len(ROWS) // 2, len(ROWS) - 1])
def test_a_link_that_expires_at_any_byte_is_asked_for_again(service: LinkedService, tmp_path: Path, at: int) -> None:
    service.files["x.csv"] = Served(ROWS, expires_after=[at])
    with client_of(service) as client:
        landing = download(client, JOB, local(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == ROWS
    assert (landing.resumed, landing.restarted) == (1, 0)
    assert len(service.asked) == 3
    wanted = [byte_range for _, byte_range in service.stored]
    assert wanted[0] is None
    assert wanted[-1] == (f"bytes={at}-" if at else None)


@pytest.mark.usefixtures("everything")
def test_links_that_expire_at_once_are_given_up(service: LinkedService, tmp_path: Path) -> None:
    class Late(Linked):
        def locate(self, job: Job, file: ResultFile) -> Flow[ApiRequest]:
            request = yield from super().locate(job, file)
            service.expire()
            return request

    service.files["x.csv"] = Served(ROWS)
    with client_of(service, Late) as client, pytest.raises(ResultExpiredError):
        download(client, JOB, local(tmp_path / "out.csv"))
    assert left_in(tmp_path) == []
    assert len(service.asked) == 1 + 5


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("expires", [False, True])
def test_several_connections_share_a_link(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expires: bool
) -> None:
    monkeypatch.setattr(division, "WORTH_DIVIDING", 100_000)
    monkeypatch.setattr(plan, "SMALLEST_SHARE", 100_000)
    monkeypatch.setattr(scaling, "SOURCE_BOUND", 0.0)  # on a busy machine the source is not what is waited for
    monkeypatch.setattr(division, "WORTH_SECONDS", 0.0)  # a burst after a pause of the machine looks like a fast source
    monkeypatch.setattr(retry_budget, "backoff", lambda failures, retry_after=None: 0.01)
    service.speed = 2_000_000
    service.files["x.csv"] = Served(ROWS, expires_after=[2_000_000] if expires else [])
    with client_of(service) as client:
        landing = download(client, JOB, local(tmp_path / "out.csv"), max_connections=4)
    assert (tmp_path / "out.csv").read_bytes() == ROWS
    assert landing.connections > 1
    assert len(service.asked) == 2 + expires  # one thread asks, for all


@pytest.mark.usefixtures("everything")
def test_a_killed_try_is_resumed_by_another_link(
    service: LinkedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.files["x.csv"] = Served(ROWS)
    write = LocalSink.write

    def interrupted(self: LocalSink, data: bytes) -> None:
        write(self, data)
        if self.written > 2_000_000:
            raise KeyboardInterrupt

    with client_of(service) as client:
        with monkeypatch.context() as patched:
            patched.setattr(LocalSink, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                download(client, JOB, local(tmp_path / "out.csv"))
        [record] = (tmp_path / WORK_FOLDER).glob(".*.json")
        assert "Signature" not in record.read_text()
        service.expire()
        landing = download(client, JOB, local(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_bytes() == ROWS
    assert (landing.resumed, landing.restarted) == (1, 0)
    assert service.stored[-1][1] is not None


@pytest.mark.usefixtures("everything")
def test_a_link_to_the_api_itself_has_the_credentials_and_is_asked_for_again(
    service: LinkedService, tmp_path: Path
) -> None:
    service.at_home = True
    service.files["x.csv"] = Served(ROWS, cut=[1_000_000], expires_after=[])
    with client_of(service) as client:
        download(client, JOB, local(tmp_path / "out.csv"))
        assert len(service.asked) == 2  # the link is used again where it is not refused
        service.files["x.csv"].expires_after = [1_000_000]
        download(client, JOB, local(tmp_path / "out.csv"))
    assert len(service.asked) == 2 + 3
    assert (tmp_path / "out.csv").read_bytes() == ROWS


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/x?sig=SIGNED", "http://user:pw@h/x?sig=SIGNED", "ftp://h/x"]
)
def test_a_link_is_followed_by_the_rules_for_redirects(service: LinkedService, tmp_path: Path, target: str) -> None:
    service.files["x.csv"] = Served(ROWS)
    service.link_to = target
    with client_of(service) as client, pytest.raises((UnsafeRedirectError, InvalidRequestError)) as caught:
        download(client, JOB, local(tmp_path / "out.csv"))
    assert "SIGNED" not in str(caught.value)
    assert left_in(tmp_path) == []


def test_a_locate_without_a_request_is_the_classs_mistake(service: LinkedService, tmp_path: Path) -> None:
    class Empty(Linked):
        def locate(self, job: Job, file: ResultFile) -> Flow[Any]:
            yield from ()
            return None

    class Neither(Linked):
        locate = Results.locate

    service.files["x.csv"] = Served(ROWS)
    for kind, words in ((Empty, "its method locate returned NoneType"), (Neither, "neither locate nor result_request")):
        with client_of(service, kind) as client, pytest.raises(InvalidRequestError, match=words):
            download(client, JOB, local(tmp_path / "out.csv"))


@pytest.mark.parametrize("id", ["https://store.example/x?sig=SIGNED", "HTTP://h/x", " https://h/x"])
@pytest.mark.parametrize("asking", ["job", "jobs", "page", "files"])
def test_a_file_with_a_url_as_its_id_is_refused(service: LinkedService, tmp_path: Path, id: str, asking: str) -> None:
    class Leaky(Linked):
        def read(self, data: dict[str, Any]) -> Job:
            found = super().read(data)
            return Job(found.id, JobState.SUCCEEDED, "done", files=() if asking == "files" else (ResultFile(id),))

        def list_jobs(self) -> Flow[list[Job]]:
            job = yield from self.get_job(JOB)
            return [job]

        def list_page(self, cursor: str | None = None) -> Flow[JobPage]:
            job = yield from self.get_job(JOB)
            return JobPage((ListedJob(job),))

        def result_files(self, job: Job) -> tuple[ResultFile, ...]:
            return (ResultFile(id),)

    with client_of(service, Leaky) as client:
        vendor = client.vendor
        ways: dict[str, Callable[[], Any]] = {
            "job": lambda: client.run(vendor.get_job(JOB)),
            "jobs": lambda: client.run(vendor.list_jobs()),
            "page": lambda: client.run(vendor.list_page()),
            "files": lambda: download(client, JOB, local(tmp_path / "out.csv")),
        }
        with pytest.raises(InvalidRequestError, match="locate") as caught:
            ways[asking]()
    assert "SIGNED" not in str(caught.value) + json.dumps(caught.value.to_dict())


def test_no_signature_of_a_link_is_in_an_event() -> None:
    link = "https://store.example/x.csv?X-Amz-Signature=0123456789abcdef0123"
    job = Job(
        JOB, JobState.FAILED, f"see {link}", message=f"see {link}", name=link, files=(ResultFile("7", name=link),)
    )
    assert "0123456789abcdef" not in json.dumps(job_to_event(job))


@pytest.mark.usefixtures("everything")
def test_a_file_whose_name_is_its_link_lands_without_the_signature(service: LinkedService, tmp_path: Path) -> None:
    class Named(Linked):
        def read(self, data: dict[str, Any]) -> Job:
            files = tuple(ResultFile(each["id"], name=each["url"]) for each in data["files"])
            return Job(data["id"], JobState.SUCCEEDED, "done", files=files, name=data["files"][0]["url"])

    service.files["x.csv"] = Served(ROWS)
    with client_of(service, Named) as client:
        download(client, JOB, local(tmp_path, folder=True), manifest=True)
    assert left_in(tmp_path) == ["_manifest.json", "x.csv"]

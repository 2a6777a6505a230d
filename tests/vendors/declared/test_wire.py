"""What a document can say, over a real socket: a state by HTTP status, a token of another host, ids that are paths."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    InvalidConnectionError,
    InvalidRequestError,
    RateLimitedError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import Job, JobState
from airflow_provider_batchdl.testing.junk import PAGE_OF_HTML
from airflow_provider_batchdl.transfer import Destination, download
from airflow_provider_batchdl.vendors.declared import Declared
from tests.client.helpers import Face, both_faces  # noqa: F401 the fixture
from tests.support.recorder import Recorded, Recorder, Reply, recording
from tests.vendors.declared.documents import changed, submission, vendor_of

KEY = "made-up-key-0001"


@contextlib.contextmanager
def serving(answers: Mapping[str, Reply | Callable[[Recorded], Reply]]) -> Iterator[Recorder]:
    """A server with an answer for each ``METHOD /target``; 404 for others."""

    def answer(request: Recorded) -> Reply:
        found = answers.get(f"{request.method} {request.target}", Reply({"error": "nothing here"}, 404))
        return found(request) if callable(found) else found

    with recording(answer) as server:
        yield server


def submitted(face: Face, acme: Declared) -> Job:
    job: Job = face.run(acme, lambda each: each.submit(submission({"words": 2})))
    return job


def polled(face: Face, acme: Declared, job_id: str = "7") -> Job:
    job: Job = face.run(acme, lambda each: each.get_job(job_id))
    return job


def downloaded(acme: Declared, to: Path, job_id: str = "7") -> bytes:
    with BatchClient(acme) as client:
        download(client, job_id, Destination(LocalFileSystem(), str(to / "out.csv"), str(to / "out.csv")))
    return (to / "out.csv").read_bytes()


# A state by HTTP status.

PATTERN: dict[str, Any] = {
    "states": {"HTTP 202": "running", "HTTP 303": "succeeded", "HTTP 410": "failed", "busy": "running"},
    "job": {"id_header": "Location", "message": "/detail"},
    "files": {"link_header": "Location", "format": "csv"},
}
STATUS = "GET /batches/7"


def test_a_job_of_which_only_the_http_status_tells(face: Face, tmp_path: Path) -> None:
    answers: dict[str, Any] = {"POST /batches": Reply(b"", 202, {"Location": "/batches/7?api-version=2"})}
    with serving(answers) as server:
        acme = vendor_of(changed(**PATTERN), base_url=server.url)
        assert submitted(face, acme) == Job("7", JobState.PENDING, "")
        answers[STATUS] = Reply(b"", 202, {"Retry-After": "1"})
        assert polled(face, acme) == Job("7", JobState.RUNNING, "HTTP 202")
        answers[STATUS] = Reply({"status": "busy", "id": "an id of something else"})
        assert polled(face, acme).vendor_state == "busy"
        answers[STATUS] = Reply({"detail": "The results are gone."}, 410)
        gone = polled(face, acme)
        assert (gone.state, gone.message) == (JobState.FAILED, "The results are gone.")
        answers[STATUS] = Reply(b"", 303, {"Location": "7/out.csv"})
        answers["GET /batches/7/out.csv"] = Reply(b"a\n1\n")
        assert polled(face, acme).state is JobState.SUCCEEDED
        assert downloaded(acme, tmp_path) == b"a\n1\n"


def test_a_result_elsewhere_gets_no_credentials(face: Face, tmp_path: Path) -> None:
    """Nor is a redirect followed to learn the state."""
    with serving({"GET /signed?sig=1": Reply(b"a\n1\n")}) as store:
        answers = {STATUS: Reply(b"", 303, {"Location": f"{store.url}/signed?sig=1"})}
        with serving(answers) as server:
            acme = vendor_of(changed(**PATTERN), base_url=server.url)
            assert polled(face, acme).state is JobState.SUCCEEDED
            assert store.received == []
            assert downloaded(acme, tmp_path) == b"a\n1\n"
            assert {each.headers["authorization"] for each in server.received} == {f"Bearer {KEY}"}
        assert not any(KEY in str(each.headers) for each in store.received)


@pytest.mark.parametrize("page", [PAGE_OF_HTML, b" \n<html><body>Sign in</body></html>"])
def test_a_login_page_is_no_success(face: Face, page: bytes) -> None:
    with serving({STATUS: Reply(page, 200, {"Content-Type": "text/html"})}) as server:
        acme = vendor_of(changed(states={"HTTP 200": "succeeded", "HTTP 410": "failed"}), base_url=server.url)
        with pytest.raises(UnexpectedResponseError, match="the body is a page"):
            polled(face, acme)


@pytest.mark.parametrize(
    ("location", "job_id"),
    [
        ("{url}/v1/batches/a%2Fb/state?sig=1", "a/b"),
        ("/v1/batches/a%2Fb/state#x", "a/b"),
        ("a:b", "a:b"),
        ("{url}/v1/batches/a/b/state", None),
        ("{url}/v1/batches//state", None),
        ("{url}/v1/batches/../state", None),
        ("{url}/batches/a/state", None),
        ("https://other.example/v1/batches/a/state", None),
        ("", None),
    ],
)
def test_the_id_in_a_header(face: Face, location: str, job_id: str | None) -> None:
    reply = Reply(b"", 202)
    with serving({"POST /v1/batches": reply}) as server:
        reply.headers = {"Location": location.format(url=server.url)}
        document = changed(**PATTERN, status={"path": "/batches/{job.id}/state"})
        acme = vendor_of(document, base_url=f"{server.url}/v1")
        if job_id is not None:
            assert submitted(face, acme).id == job_id
            return
        with pytest.raises(UnexpectedResponseError):
            submitted(face, acme)


@pytest.mark.parametrize(
    ("status", "kind"), [(303, UnexpectedResponseError), (410, BatchDlError), (429, RateLimitedError)]
)
def test_a_status_that_the_document_does_not_name_is_as_ever(
    status: int, kind: type[BatchDlError], tmp_path: Path
) -> None:
    with serving({STATUS: Reply({"status": "done"}, status, {"Location": "/x"})}) as server:
        acme = vendor_of(changed(job={"id_optional": True}), base_url=server.url)
        with pytest.raises(kind), BatchClient(acme, single_try=5.0) as client:
            client.run(acme.get_job("7"))


# A token of another host.

SECRET = "made-up-secret-0001"
TOKEN: dict[str, Any] = {"access_token": "token-madeup-0001", "expires_in": 3600}
TENANT = {"kind": "oauth2", "token_url": "https://login.acme.example/{extra.tenant}/token"}


def with_token(url: str, token_url: str, **auth: Any) -> Declared:
    document = changed(auth={"kind": "oauth2", **auth}, extra={"scope": {"default": "jobs.read"}, "more": {}})
    return vendor_of(document, base_url=url, login="me", secret=SECRET, extra={"token_url": token_url})


def test_the_secret_goes_to_the_token_endpoint_and_the_token_to_the_api(face: Face) -> None:
    form = {"scope": "{extra.scope}", "audience": "{extra.more}"}
    with (
        serving({"POST /oauth/token": Reply(TOKEN)}) as login,
        serving({STATUS: Reply({"id": 7, "status": "done"})}) as api,
    ):
        token_url = f"{login.url}/oauth/token"
        assert polled(face, with_token(api.url, token_url, form=form)).state is JobState.SUCCEEDED
        assert polled(face, with_token(api.url, token_url, form=form, name="x-acme-token", prefix="")).id == "7"
        [asked] = login.received  # one account, one token
        sent = {"grant_type": ["client_credentials"], "client_id": ["me"], "client_secret": [SECRET]}
        assert parse_qs(asked.body.decode()) == sent | {"scope": ["jobs.read"]}
        assert "authorization" not in asked.headers
        bearer, own = (each.headers for each in api.received)
        assert (bearer["authorization"], own["x-acme-token"]) == ("Bearer token-madeup-0001", "token-madeup-0001")
        assert "authorization" not in own
        assert not any(SECRET in str(each) for each in api.received)
        assert polled(face, with_token(api.url, token_url, form={"scope": "jobs.write"})).id == "7"
        assert len(login.received) == 2  # another scope is another token


def test_the_client_signs_in_by_http_basic(face: Face) -> None:
    """RFC 6749, section 2.3.1: id and secret are those of a form, and are not in the body, too."""
    secret = "made+up/secret: 0001%"
    with serving({"POST /t": Reply(TOKEN)}) as login, serving({STATUS: Reply({"id": 7, "status": "done"})}) as api:
        document = changed(auth={"kind": "oauth2", "client_auth": "basic", "form": {"scope": "jobs"}})
        account = {"login": "me@acme", "secret": secret, "extra": {"token_url": f"{login.url}/t"}}
        acme = vendor_of(document, base_url=api.url, **account)
        assert polled(face, acme).id == "7"
        [asked] = login.received
    kind, coded = asked.headers["authorization"].split()
    assert (kind, base64.b64decode(coded)) == ("Basic", b"me%40acme:made%2Bup%2Fsecret%3A+0001%25")
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["jobs"]}
    assert coded not in redact(f"a log with {coded}")


@pytest.mark.parametrize("status", [302, 303, 307, 308])
def test_the_secret_follows_no_redirect(face: Face, status: int) -> None:
    with serving({}) as other, serving({}) as api:
        reply = Reply(b"", status, {"Location": f"{other.url}/token"})
        with serving({"POST /oauth/token": reply}) as login, pytest.raises(BatchDlError):
            polled(face, with_token(api.url, f"{login.url}/oauth/token"))
        assert other.received == api.received == []


@pytest.mark.parametrize(
    ("token_url", "words"),
    [
        ("http://login.acme.example/token", "is not https, and at another host than the connection's"),
        ("http://127.0.0.1.acme.example/token", "is not https"),
        ("https://me:word@login.acme.example/token", "has an '@' in it"),
        ("login.acme.example/token", "is neither a URL nor a path"),
        ("ftp://login.acme.example/token", "only https:// and http://"),
        ("", "is missing"),
    ],
)
def test_where_no_secret_goes(token_url: str, words: str) -> None:
    with pytest.raises(InvalidConnectionError) as caught:
        with_token("https://api.acme.example", token_url)
    assert words in str(caught.value)
    assert "me:word" not in str(caught.value)


def test_the_document_names_the_token_endpoint() -> None:
    document = changed(auth=TENANT, extra={"tenant": {"required": True}})
    account = {"login": "me", "extra": {"tenant": "t/1"}}
    flow = vendor_of(document, **account).auth().sync_auth_flow(httpx.Request("GET", "https://api.acme.example/x"))
    assert str(next(flow).url) == "https://login.acme.example/t%2F1/token"


# Ids with signs that mean something in a path.

NAME = "operations/a b/c;d#f%2e%2e"
ESCAPED = "operations/a%20b/c%3Bd%23f%252e%252e"


@pytest.mark.parametrize(
    ("hole", "target"), [("{job.id}", ESCAPED.replace("/", "%2F")), ("{+job.id}", ESCAPED)], ids=["segment", "path"]
)
def test_an_id_with_slashes(face: Face, tmp_path: Path, hole: str, target: str) -> None:
    done = {"name": NAME, "status": "done"}
    answers = {
        "POST /batches": Reply({"name": NAME}),
        f"GET /v1/{target}": Reply(done),
        f"POST /v1/{target}:cancel": Reply({**done, "status": "stopped"}),
        f"GET /v1/{target}/result": Reply(b"a\n1\n"),
    }
    with serving(answers) as server:
        document = changed(
            job={"id": "/name"},
            status={"path": f"/v1/{hole}"},
            cancel={"path": f"/v1/{hole}:cancel", "method": "POST"},
            files={"path": f"/v1/{hole}/result", "name": "{job.id}.csv"},
        )
        acme = vendor_of(document, base_url=server.url)
        assert polled(face, acme, submitted(face, acme).id).id == NAME
        assert face.run(acme, lambda each: each.ensure_cancelled(NAME)).state is JobState.CANCELLED
        with BatchClient(acme) as client:
            download(client, NAME, Destination(LocalFileSystem(), f"{tmp_path}/", f"{tmp_path}/"))
        [landed] = [each for each in tmp_path.rglob("*") if each.suffix == ".csv"]
        assert landed.parent == tmp_path


@pytest.mark.parametrize(
    "job_id", ["..", "a/..", "../a", "a/../b", "a/./b", "a//b", "/a", "//evil.example/a", "a/", "https://evil.example"]
)
def test_an_id_is_no_other_path(job_id: str) -> None:
    with serving({}) as server:
        acme = vendor_of(changed(status={"path": "/v1/{+job.id}"}), base_url=server.url)
        with pytest.raises(InvalidRequestError, match=r"The path /v1/{\+job\.id} cannot be made"):
            polled(Face("sync"), acme, job_id)
        assert server.received == []


def test_a_name_in_a_header(face: Face) -> None:
    with serving({"POST /batches": Reply(b"", 202, {"Location": "/v1/operations/a%20b/c?x=1"})}) as server:
        acme = vendor_of(changed(**PATTERN, status={"path": "/v1/{+job.id}"}), base_url=server.url)
        assert submitted(face, acme).id == "operations/a b/c"


# What other real APIs need.


def test_a_job_without_a_word_for_its_state(face: Face) -> None:
    """Google's operations have ``done`` once they are, and nothing before."""
    answers = {STATUS: Reply({"id": 7}), "GET /batches/8": Reply({"id": 8, "done": True, "error": {"code": 3}})}
    job = {"state": "/done", "state_missing": "false", "failed": "/error"}
    with serving(answers) as server:
        acme = vendor_of(changed(job=job, states={"false": "running", "true": "succeeded"}), base_url=server.url)
        assert polled(face, acme) == Job("7", JobState.RUNNING, "false")
        assert polled(face, acme, "8").state is JobState.FAILED


def test_a_cursor_that_stands_alone(face: Face) -> None:
    """Amazon's nextToken is refused beside other parameters."""
    pages = {"/b?kind=x": {"jobs": [{"id": 7, "status": "done"}], "next": "n"}, "/b?token=n": {"jobs": []}}
    with serving({f"GET {target}": Reply(page) for target, page in pages.items()}) as server:
        paging = {"kind": "cursor", "next": "/next", "param": "token", "alone": True}
        listing = {"path": "/b", "params": {"kind": "x"}, "items": "/jobs", "paging": paging}
        acme = vendor_of(changed(list=listing), base_url=server.url)
        assert [job.id for job in face.run(acme, lambda each: each.list_jobs())] == ["7"]

"""A base URL that is known only after the token: requests and the token go there, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError, InvalidConnectionError, VendorUnavailableError
from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, Source
from airflow_provider_batchdl.vendors.account import TOKEN_BASE_URLS, origin
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor
from airflow_provider_batchdl.vendors.oauth2 import BUILT_ON, OAuth2ClientCredentials, checked_base_url
from tests.client.helpers import BOTH_FACES, Face, account_at, submission
from tests.support.recorder import Recorded, Recorder, Reply, recording

HOSTS = ("instances.example",)


class Instances(Vendor):
    """Each account has an instance, which the token's answer names."""

    name = "instances"
    label = "Instances"
    default_host = "https://login.instances.example"
    docs_url = "https://docs.instances.example"
    states = {"open": JobState.RUNNING}  # noqa: RUF012 as in the documented example
    poll_interval = 1.0
    rate_limits = (RateLimit(1000, 1.0),)

    def auth(self) -> httpx.Auth:
        return OAuth2ClientCredentials(
            token_url=f"{self.account.base_url}/oauth/token",
            client_id=self.account.login or "",
            client_secret=self.account.secret,
            cache_key=self.account.fingerprint,
            vendor=self.name,
            base_url=self.account.base_url,
            base_url_pointer="/urls/instance",
            base_url_hosts=HOSTS,
        )

    def submit(self, submission: Submission) -> Flow[Job]:
        yield ApiRequest("submit", "POST", "/jobs", json={}, repeatable=False)
        return Job("1", JobState.RUNNING, "open")

    def get_job(self, job_id: str) -> Flow[Job]:
        yield ApiRequest("status", "GET", f"/jobs/{job_id}", params={"a": "b c"}, job_id=job_id)
        return Job(job_id, JobState.RUNNING, "open")

    def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
        return ApiRequest("download", "GET", f"/jobs/{job.id}/result", job_id=job.id)

    def check(self) -> Flow[str]:
        yield ApiRequest("check", "GET", "/me")
        return "fine"


@dataclass
class Service:
    """Login and instances at one origin: `instance` is the one that the next token names."""

    instance: Any = "/i/one"
    refused: list[str] = field(default_factory=list)  # tokens
    tokens: int = 0
    url: str = ""

    def __call__(self, request: Recorded) -> Reply:
        if request.target == "/login/oauth/token":
            self.tokens += 1
            named = self.url + self.instance if str(self.instance).startswith("/") else self.instance
            return Reply({"access_token": f"token-madeup-{self.tokens:04}", "urls": {"instance": named}})
        if request.headers.get("authorization", "").removeprefix("Bearer ") in self.refused:
            return Reply({"message": "expired"}, 401)
        return Reply({})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def server(service: Service) -> Iterator[Recorder]:
    with recording(service) as server:
        service.url = server.url
        yield server


@pytest.fixture
def vendor(server: Recorder) -> Vendor:
    return Instances(account_at(f"{server.url}/login", "instances", login="client"))


def poll(face: Face, vendor: Vendor) -> Job:
    job: Job = face.run(vendor, lambda each: each.get_job("7"))
    return job


TOKEN = "POST /login/oauth/token"
POLL = "GET /i/one/jobs/7?a=b%20c"


@BOTH_FACES
def test_requests_go_to_the_base_url_of_the_token(face: Face, server: Recorder, vendor: Vendor) -> None:
    assert vendor.base_url == f"{server.url}/login"
    poll(face, vendor)
    assert [each.replace("+", "%20") for each in server.targets] == [TOKEN, POLL]
    assert server.received[1].headers["authorization"] == "Bearer token-madeup-0001"
    assert server.received[1].headers["host"] == server.url.removeprefix("http://")
    assert vendor.base_url == f"{server.url}/i/one"


def test_it_is_cached_with_the_token_for_both_clients(server: Recorder, vendor: Vendor) -> None:
    poll(Face("sync"), vendor)
    poll(Face("async"), Instances(vendor.account))
    assert [each.replace("+", "%20") for each in server.targets] == [TOKEN, POLL, POLL]


@BOTH_FACES
def test_and_renewed_with_it(face: Face, service: Service, server: Recorder, vendor: Vendor) -> None:
    poll(face, vendor)
    service.refused, service.instance = ["token-madeup-0001"], "/i/two/"
    poll(face, vendor)
    assert server.targets[2].startswith("GET /i/one/jobs/7")
    assert server.targets[3] == TOKEN
    assert server.targets[4].startswith("GET /i/two/jobs/7?a=b")
    assert server.received[4].headers["authorization"] == "Bearer token-madeup-0002"
    assert vendor.base_url == f"{server.url}/i/two"


def test_a_submit_goes_there_once(face: Face, server: Recorder, vendor: Vendor) -> None:
    face.run(vendor, lambda each: each.submit_once(submission()))
    assert server.targets == [TOKEN, "POST /i/one/jobs"]
    assert server.received[1].body == b"{}"


def test_so_does_a_download(service: Service, server: Recorder, vendor: Vendor) -> None:
    job = Job("7", JobState.SUCCEEDED, "x")
    with BatchClient(vendor) as client:
        for _ in range(2):
            stream = RangeClient(Source(client, job, ResultFile("7"))).open()
            assert stream is not None
            stream.close()
            service.refused, service.instance = ["token-madeup-0001"], "/i/two"
    results = [each for each in server.targets if each != TOKEN]
    assert results == ["GET /i/one/jobs/7/result", "GET /i/one/jobs/7/result", "GET /i/two/jobs/7/result"]
    assert server.received[-1].headers["authorization"] == "Bearer token-madeup-0002"


def test_the_accounts_names_do_not_change(face: Face, vendor: Vendor) -> None:
    before = vendor.rate_limit_scope, vendor.account.fingerprint, vendor.account_name, vendor.account.base_url
    poll(face, vendor)
    after = vendor.rate_limit_scope, vendor.account.fingerprint, vendor.account_name, vendor.account.base_url
    assert before == after


@BOTH_FACES
def test_an_absolute_url_of_the_instance_gets_the_token_even_if_it_comes_first(
    face: Face, server: Recorder, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording() as instance:
        # As if the instance's host were one of the vendor's.
        monkeypatch.setattr(
            "airflow_provider_batchdl.vendors.oauth2.checked_base_url", lambda *_, **__: f"{instance.url}/i"
        )
        face.send(vendor, ApiRequest("list", "GET", url=f"{instance.url}/i/next?page=2"))
        assert instance.targets == ["GET /i/next?page=2"]
        assert instance.received[0].headers["authorization"] == "Bearer token-madeup-0001"
    assert server.targets == [TOKEN]


def test_another_hosts_url_gets_none(face: Face, server: Recorder, vendor: Vendor) -> None:
    with recording() as other:
        face.send(vendor, ApiRequest("list", "GET", url=f"{other.url}/x"))
        assert "authorization" not in other.received[0].headers
    assert server.targets == [TOKEN]


HOSTILE: list[Any] = [
    "https://evil.example",
    "https://instances.example.evil.example",
    "https://evilinstances.example",
    "http://na1.instances.example",
    "https://na1.instances.example:8443",
    "https://na1.instances.example@evil.example",
    "https://user:pass@na1.instances.example",
    "https://na1.instances.example\\@evil.example",
    "https://na1.instances.example/../x",
    "https://na1.instances.example?x=1",
    "https://127.0.0.1:1",
    "http://169.254.169.254",
    "http://localhost:1",
    "//evil.example",
    "na1.instances.example",
    "ftp://na1.instances.example",
    "https://na1.instances.example\r\nX: y",
    "https://\uff4ea1.instances.example",
    "https://",
    "",
    None,
    7,
    ["https://na1.instances.example"],
]


@pytest.mark.parametrize("named", HOSTILE, ids=ascii)
def test_a_hostile_base_url_is_refused_before_the_token_goes_anywhere(
    face: Face, service: Service, server: Recorder, vendor: Vendor, named: Any
) -> None:
    service.instance = named
    with pytest.raises(InvalidConnectionError, match="nothing was sent there") as caught:
        face.run(vendor, lambda each: each.submit_once(submission()))
    assert set(server.targets) == {TOKEN}
    assert not caught.value.retryable
    assert "pass@" not in str(caught.value)
    assert "token-madeup" not in str(caught.value)
    assert vendor.base_url == vendor.account.base_url


def test_one_that_becomes_hostile_is_refused_at_the_renewal(
    face: Face, service: Service, server: Recorder, vendor: Vendor
) -> None:
    poll(face, vendor)
    service.refused, service.instance = ["token-madeup-0001"], "https://evil.example"
    with pytest.raises(InvalidConnectionError):
        poll(face, vendor)
    assert not any("token-madeup-0002" in str(each.headers) for each in server.received)


@BOTH_FACES
def test_trouble_with_the_token_is_no_uncertainty(face: Face, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(lambda _: Reply({"message": "x"}, 500)) as broken:
        other = Instances(account_at(broken.url, "instances", login="client"))
        with pytest.raises(VendorUnavailableError) as caught:
            face.run(other, lambda each: each.submit_once(submission()))
        assert caught.value.maybe_processed is False


ACCEPTED = [
    ("https://na1.instances.example", "https://na1.instances.example"),
    ("https://NA1.Instances.example/", "https://na1.instances.example"),
    ("https://instances.example:443/a", "https://instances.example:443/a"),
    ("https://login.other.example/x", "https://login.other.example/x"),  # the connection's own
]


@pytest.mark.parametrize(("named", "base"), ACCEPTED)
def test_hosts_of_the_vendor_and_the_connections_own_are_accepted(named: str, base: str) -> None:
    assert checked_base_url(named, home="https://login.other.example", hosts=HOSTS, vendor="v") == base


@given(st.text() | st.builds("https://{}instances.example{}".format, st.text(max_size=8), st.text(max_size=8)))
def test_no_text_leads_the_token_elsewhere(named: str) -> None:
    try:
        base = checked_base_url(named, home="https://login.other.example", hosts=HOSTS, vendor="v")
    except BatchDlError:
        return
    scheme, host, port = origin(base)
    assert (scheme, port) == ("https", 443)
    assert host in ("instances.example", "login.other.example") or host.endswith(".instances.example")
    assert httpx.URL(base).host == host


def test_an_https_instance_gets_the_request_as_it_was_built() -> None:
    account = account_at("https://login.instances.example/base", "instances", login="client")
    vendor = Instances(account)
    message = httpx.Request("GET", f"{account.base_url}/jobs/a%2Fb?x=%20y", extensions={BUILT_ON: account.base_url})
    flow = vendor.auth().sync_auth_flow(message)
    assert str(next(flow).url) == "https://login.instances.example/base/oauth/token"
    answer = {"access_token": "token-madeup-0009", "urls": {"instance": "https://na1.instances.example/v2"}}
    out = flow.send(httpx.Response(200, json=answer))
    assert out is message
    assert str(out.url) == "https://na1.instances.example/v2/jobs/a%2Fb?x=%20y"
    assert out.headers["host"] == "na1.instances.example"
    flow.close()
    assert TOKEN_BASE_URLS[account.fingerprint] is not None

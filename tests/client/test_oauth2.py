"""ApartmentIQ's token: fetched once, renewed in time, kept per account, never shown."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest

from airflow_provider_batchdl._redaction import redactor, spellings
from airflow_provider_batchdl.client import AsyncBatchClient, BatchClient, policy
from airflow_provider_batchdl.client.exchange import Exchange
from airflow_provider_batchdl.client.sending import Sending
from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    InvalidRequestError,
    RateLimitedError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.vendors import oauth2
from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, Vendor
from tests.client.helpers import Face, Waits, both_faces, download_request, operations, vendor_at, vendor_of  # noqa: F401 the fixture
from tests.support.fixtures import drop_token


def check(face: Face, vendor: Vendor) -> str:
    text: str = face.run(vendor, lambda each: each.check())
    return text


def tokens(emulator: Emulator) -> int:
    return operations(emulator).count("token")


def test_twenty_threads_fetch_one_token(emulator: Emulator) -> None:
    emulator.add_fault(Fault("stall", operation="token", seconds=0.2, before_headers=True))
    ready = threading.Barrier(20)

    def ask() -> None:
        with BatchClient(vendor_of(emulator, "apartmentiq")) as client:
            ready.wait(30)
            client.run(client.vendor.check())

    with ThreadPoolExecutor(20) as pool:
        for done in [pool.submit(ask) for _ in range(20)]:
            done.result()
    assert tokens(emulator) == 1
    assert operations(emulator).count("check") == 20


def test_fifty_coroutines_fetch_one_token(emulator: Emulator) -> None:
    emulator.add_fault(Fault("stall", operation="token", seconds=0.2, before_headers=True))

    async def main() -> None:
        async with (
            AsyncBatchClient(vendor_of(emulator, "apartmentiq")) as one,
            AsyncBatchClient(vendor_of(emulator, "apartmentiq")) as two,
        ):
            await asyncio.gather(*(each.run(each.vendor.check()) for each in [one, two] * 25))

    asyncio.run(main())
    assert tokens(emulator) == 1
    assert operations(emulator).count("check") == 50


def test_after_a_401_all_share_one_new_token(emulator: Emulator) -> None:
    async def main() -> None:
        async with AsyncBatchClient(vendor_of(emulator, "apartmentiq")) as client:
            await client.run(client.vendor.check())
            emulator.expire_tokens()
            await asyncio.gather(*(client.run(client.vendor.check()) for _ in range(20)))

    asyncio.run(main())
    assert tokens(emulator) == 2


def test_a_caller_who_gives_up_leaves_the_lock(emulator: Emulator) -> None:
    emulator.add_fault(Fault("stall", operation="token", seconds=30, before_headers=True))

    async def main() -> None:
        async with AsyncBatchClient(vendor_of(emulator, "apartmentiq")) as client:
            one = asyncio.create_task(client.run(client.vendor.check()))
            while emulator.unused_faults:  # noqa: ASYNC110  until the endpoint has the request, and does not answer
                await asyncio.sleep(0.01)
            one.cancel()
            with pytest.raises(asyncio.CancelledError):
                await one
            await asyncio.wait_for(client.run(client.vendor.check()), 20)

    asyncio.run(main())


def test_sync_and_async_and_two_loops_share_the_token(emulator: Emulator) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    for each in (Face("sync"), Face("async"), Face("async"), Face("sync")):
        check(each, vendor)
        check(each, vendor_of(emulator, "apartmentiq"))
    assert tokens(emulator) == 1


def test_two_accounts_share_nothing(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    check(face, vendor)
    for changes in ({"secret": "another_secret_01"}, {"login": "another_client"}):
        with pytest.raises(AuthenticationError):
            check(face, vendor_of(emulator, "apartmentiq", **changes))
    with Emulator(rate_limits=False) as other:
        check(face, vendor_of(other, "apartmentiq"))
        assert tokens(other) == 1
    check(face, vendor)
    assert tokens(emulator) == 3


@pytest.mark.parametrize(
    ("life", "later", "fetched"),
    [
        (7200, 6800, 1),
        (7200, 6901, 2),
        (100, 89, 1),
        (100, 91, 2),
        (None, 539, 1),
        (None, 541, 2),
        (-5, 0, 2),
        (0, 1, 1),
    ],
)
def test_renewed_before_it_ends(
    emulator: Emulator, face: Face, monkeypatch: pytest.MonkeyPatch, life: int | None, later: float, fetched: int
) -> None:
    now = 1000.0
    monkeypatch.setattr(oauth2, "time", SimpleNamespace(monotonic=lambda: now))
    body = json.dumps({"access_token": emulator.access_token, "expires_in": life})
    emulator.add_fault(Fault("status", operation="token", status=200, body=body, content_type="application/json"))
    vendor = vendor_of(emulator, "apartmentiq")
    check(face, vendor)
    now += later
    check(face, vendor)
    assert tokens(emulator) == fetched
    assert [each.status for each in emulator.requests if each.operation == "check"] == [200, 200]


def test_once_more_after_a_401_and_no_more(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    check(face, vendor)
    emulator.expire_tokens()
    check(face, vendor)
    assert operations(emulator) == ["token", "check", "check", "token", "check"]
    emulator.add_fault(Fault("status", operation="check", status=401, times=99))
    with pytest.raises(AuthenticationError):
        check(face, vendor)
    assert operations(emulator)[5:] == ["check", "token", "check"]


def test_a_submit_survives_an_ended_token_unchanged(emulator: Emulator, face: Face) -> None:
    from tests.client.helpers import REPORT

    vendor = vendor_of(emulator, "apartmentiq")
    check(face, vendor)
    emulator.expire_tokens()
    face.submit(vendor, REPORT)
    assert [job.input for job in emulator.jobs("apartmentiq")] == [REPORT]


def test_a_wrong_secret_in_the_vendors_words(emulator: Emulator, face: Face) -> None:
    with pytest.raises(AuthenticationError, match="Client authentication failed") as caught:
        check(face, vendor_of(emulator, "apartmentiq", secret="wrong_secret_0001"))
    assert caught.value.status == 401
    assert tokens(emulator) == 1


def test_a_pasted_token_is_not_renewed(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "apartmentiq", secret=emulator.access_token, login=None)
    check(face, vendor)
    emulator.expire_tokens(pasted=True)
    with pytest.raises(AuthenticationError, match="Missing or invalid bearer token"):
        check(face, vendor)
    assert tokens(emulator) == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", operation="token", status=500, times=2),
        Fault("status", operation="token", status=503, retry_after=1, times=2),
        Fault("status", operation="token", status=429, retry_after=1, times=2),
        Fault("reset", operation="token", times=2),
        Fault("html", operation="token", times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_stumbling_token_endpoint_is_asked_again(emulator: Emulator, face: Face, fault: Fault) -> None:
    emulator.add_fault(fault)
    check(face, vendor_of(emulator, "apartmentiq"))
    assert tokens(emulator) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("status", operation="token", status=500, times=99), VendorUnavailableError),
        (Fault("status", operation="token", status=429, retry_after=999, times=99), RateLimitedError),
        (Fault("status", operation="token", status=404), InvalidRequestError),
        (Fault("status", operation="token", status=404, shape="html", times=99), VendorUnavailableError),
        (Fault("status", operation="token", status=403, shape="text", times=99), VendorUnavailableError),
        (Fault("status", operation="token", status=400, shape="html", times=99), VendorUnavailableError),
        (Fault("status", operation="token", status=401, shape="empty"), AuthenticationError),
        (Fault("redirect", operation="token", location="http://127.0.0.1:9/"), InvalidRequestError),
        (Fault("status", operation="token", status=400, body='{"error": "invalid_scope"}'), AuthenticationError),
        (Fault("status", operation="token", status=200, body='{"error": "invalid_client"}'), AuthenticationError),
        (
            Fault("status", operation="token", status=200, body='{"error": "server_error"}', times=99),
            VendorUnavailableError,
        ),
    ],
    ids=lambda value: getattr(value, "kind", value.__name__ if isinstance(value, type) else "?"),
)
def test_a_failing_token_endpoint(emulator: Emulator, face: Face, fault: Fault, kind: type[BatchDlError]) -> None:
    emulator.add_fault(fault)
    with pytest.raises(kind) as caught:
        check(face, vendor_of(emulator, "apartmentiq"))
    if kind is InvalidRequestError:
        assert "token_url" in str(caught.value)
    assert tokens(emulator) <= policy.ATTEMPTS
    assert "check" not in operations(emulator)


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "{}", '"token"', '{"access_token": null}', '{"access_token": ""}', '{"access_token": 5}',
        '{"access_token": "a\\nb"}', '{"access_token": "ü"}', '{"access_token": "a", "expires_in": "soon"}',
        '{"access_token": "a", "expires_in": NaN}', '{"access_token": "a", "expires_in": -5}',
        '{"access_token": "' + "a" * 20_000 + '"}',
        '{"access_token": "a", "expires_in": [1]}', '{"access_token": "a", "expires_in": 1' + "0" * 400 + "}",
        "[" * 5000,
    ],
)  # fmt: skip
def test_an_answer_without_a_token(emulator: Emulator, face: Face, body: str) -> None:
    emulator.add_fault(Fault("status", operation="token", status=200, body=body, times=99))
    with pytest.raises(VendorUnavailableError, match="holds no access token") as caught:
        check(face, vendor_of(emulator, "apartmentiq"))
    assert caught.value.maybe_processed is False
    assert "check" not in operations(emulator)


@pytest.mark.parametrize("given", ["{origin}/oauth/token", "/oauth/token", " /oauth/token "])
def test_token_url_may_be_whole_or_a_path(emulator: Emulator, face: Face, given: str) -> None:
    url = given.format(origin=emulator.origin)
    check(face, vendor_of(emulator, "apartmentiq", extra={"token_url": url}))
    assert tokens(emulator) == 1


@pytest.mark.parametrize("url", ["ftp://h/t", "https://u:p@h/t", "https://h:x/t", "https://[::1/t", "https://h/t?a=b"])
def test_token_url_that_is_none(emulator: Emulator, url: str) -> None:
    with pytest.raises(InvalidRequestError, match="token_url"):
        vendor_of(emulator, "apartmentiq", extra={"token_url": url}).auth()


def test_the_secret_goes_to_the_token_endpoint_only_and_in_the_body(emulator: Emulator, face: Face) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    check(face, vendor)
    for asked in emulator.requests:
        assert vendor.account.secret not in f"{asked.path} {asked.query} {asked.headers}"
    assert "authorization" not in emulator.requests[0].headers


def test_neither_token_nor_secret_is_shown(emulator: Emulator, face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor = vendor_of(emulator, "apartmentiq")
    check(face, vendor)
    token = next(each.headers["authorization"] for each in emulator.requests if each.operation == "check")[7:]
    echo = f'{{"error": "I got {token} and {vendor.account.secret}"}}'
    emulator.add_fault(Fault("status", operation="check", status=400, body=echo))
    with pytest.raises(InvalidRequestError) as caught:
        check(face, vendor)
    for shown in (caplog.text, str(caught.value), repr(caught.value), repr(vendor.account), repr(vendor.auth())):
        assert token not in shown
        assert vendor.account.secret not in shown


# --- credentials for another library


def test_authenticated_brings_a_token_and_renews_it(emulator: Emulator) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    request = download_request(vendor, emulator.add_job("apartmentiq").id)
    with BatchClient(vendor) as client:
        first = client.authenticated(request).headers["authorization"]
        again = client.authenticated(request).headers["authorization"]
        renewed = client.renewed(request)
    assert renewed is not None
    assert first == again != renewed.headers["authorization"]
    assert tokens(emulator) == 2
    assert "download" not in operations(emulator)


@pytest.mark.parametrize("name", ["revenuebase", "proofy", "batchcom"])
def test_authenticated_with_keys_that_stay(emulator: Emulator, name: str) -> None:
    vendor = vendor_of(emulator, name)
    job = {"revenuebase": "1", "proofy": "a", "batchcom": "export_1"}[name]
    with BatchClient(vendor) as client:
        message = client.authenticated(download_request(vendor, job))
        assert vendor.account.secret in f"{message.url} {dict(message.headers)}"
        assert client.renewed(download_request(vendor, job)) is None
    assert emulator.requests == []


@pytest.mark.parametrize("renew", [False, True])
def test_authenticated_where_the_token_endpoint_is_gone(renew: bool, emulator: Emulator) -> None:
    vendor = vendor_of(emulator, "apartmentiq")
    request = download_request(vendor, emulator.add_job("apartmentiq").id)
    with BatchClient(vendor) as client:
        if renew:
            client.authenticated(request)
        emulator.add_fault(Fault("reset", operation="token", times=99))
        with pytest.raises(VendorUnavailableError) as caught:
            (client.renewed if renew else client.authenticated)(request)
    assert caught.value.maybe_processed is False


def test_urgent_tries_once(emulator: Emulator, waits: Waits) -> None:
    emulator.add_fault(Fault("status", operation="check", status=503, times=9))
    vendor = vendor_of(emulator, "apartmentiq", extra={"rate_limit": "1/3600"})
    with BatchClient(vendor, single_try=3.0) as client:
        for _ in range(3):  # whatever the rate limit
            with pytest.raises(VendorUnavailableError):
                client.run(vendor.check())
    assert operations(emulator).count("check") == 3
    assert waits.backoffs == []


def test_a_secret_never_crosses_to_a_host_behind_a_redirect(emulator: Emulator, face: Face) -> None:
    with Emulator(rate_limits=False) as other:
        target = f"{other.urls['apartmentiq']}/accounts"
        emulator.add_fault(Fault("redirect", operation="check", location=target))
        with pytest.raises(BatchDlError, match="redirects"):
            check(face, vendor_of(emulator, "apartmentiq"))
        assert other.requests == []


def test_cookies_are_not_kept(emulator: Emulator) -> None:
    headers = {"Set-Cookie": "sid=somebody; Path=/"}
    emulator.add_fault(Fault("status", vendor="proofy", status=200, body='{"credits": 1}', headers=headers))
    vendor = vendor_of(emulator, "proofy")
    with BatchClient(vendor) as client:
        client.run(vendor.get_balance())
        client.run(vendor.get_balance())
    assert "cookie" not in emulator.requests[1].headers


def test_a_proxy_that_refuses_has_sent_nothing() -> None:
    vendor = vendor_at("https://h.example", "proofy")
    message = httpx.Request("POST", "https://h.example/")
    request = ApiRequest("submit", "POST", "/", repeatable=False)
    exchange = Exchange(vendor, request, message, Sending(answer_seconds=1.0, is_async=False))
    with pytest.raises(VendorUnavailableError, match="asks for a user and password") as caught, exchange.typed():
        raise httpx.ProxyError("407 Proxy Authentication Required")
    assert caught.value.maybe_processed is False


# --- what is remembered of tokens


def renew_often(face: Face, emulator: Emulator, times: int) -> list[str]:
    """Let the token end so many times; return the tokens in their order."""
    used = []

    def flow(vendor: Vendor) -> Flow[str]:
        for _ in range(times):
            emulator.expire_tokens()
            yield from vendor.check()
            used.append(emulator.requests[-1].headers["authorization"].removeprefix("Bearer "))
        return ""

    face.run(vendor_of(emulator, "apartmentiq"), flow)
    return used


def test_only_tokens_that_may_be_in_use_are_remembered(emulator: Emulator, face: Face) -> None:
    vendor_of(emulator, "apartmentiq")  # whose own secrets are remembered for good
    before = len(redactor._every_form())
    *old, former, current = renew_often(face, emulator, 10)
    assert len({*old, former, current}) == 10
    assert redactor.redact(f"{former} {current}") == "*** ***"
    assert redactor.redact(old[-1]) == old[-1]
    assert len(redactor._every_form()) - before <= 2 * len(spellings.forms(current))


def test_airflows_masker_hears_of_a_tasks_tokens_and_not_of_all_that_a_triggerer_sees(
    emulator: Emulator, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(redactor, "on_new_secret", [told.append])
    monkeypatch.setattr(redactor, "_minted_told", 0)
    used = renew_often(face, emulator, redactor.MOST_MINTED_TOLD + 5)
    assert [each for each in told if each in used] == used[: redactor.MOST_MINTED_TOLD]


def test_a_token_that_two_accounts_share_is_masked_until_both_have_another() -> None:
    one, two, token = oauth2._Token(), oauth2._Token(), "shared-token-0001"
    for account in (one, two):
        account.keep(token, 60.0)
        account.keep(token, 60.0)
    one.keep("another-token-0002", 60.0)
    one.keep("another-token-0003", 60.0)
    assert redactor.redact(token) == "***"
    drop_token(two)
    drop_token(one)
    assert redactor.redact(token) == token

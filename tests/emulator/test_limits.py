from __future__ import annotations

from airflow_provider_batchdl.emulator import Emulator, ManualClock
from airflow_provider_batchdl.emulator.limits import FixedWindow, RollingWindow, TokenBucket

from .helpers import client


def test_a_rolling_window() -> None:
    window = RollingWindow(2, 60)
    assert [window.take(now).allowed for now in (0, 30, 59, 60, 61, 90)] == [True, True, False, True, False, True]


def test_an_aligned_window() -> None:
    window = FixedWindow(1, 100)
    assert [window.take(now).allowed for now in (99, 99.5, 100, 101)] == [True, False, True, False]
    assert window.take(150).reset_after == 50


def test_a_window_from_the_first_request() -> None:
    window = FixedWindow(1, 100, aligned=False)
    assert [window.take(now).allowed for now in (99, 198, 199)] == [True, False, True]


def test_a_bucket() -> None:
    bucket = TokenBucket(2, 1)
    assert [bucket.take(now).allowed for now in (0, 0, 0, 0.5, 1.0, 1.2)] == [True, True, False, False, True, False]


def test_revenuebase_says_on_every_answer_how_much_is_left(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "revenuebase") as api:
        first = api.get("/v2/account/balance")
        assert first.headers["x-ratelimit-limit"] == "60"
        assert first.headers["x-ratelimit-remaining"] == "59"
        assert int(first.headers["x-ratelimit-reset"]) == int(clock.time()) + 60
        assert "x-ratelimit-limit" in api.get("/v2/account/balance", headers={"x-key": ""}).headers
        codes = {api.get("/v2/account/balance").status_code for _ in range(59)}
        refused = api.get("/v2/account/balance")
        assert (codes, refused.status_code, refused.headers["x-ratelimit-remaining"]) == ({200}, 429, "0")


def test_single_verification_is_five_a_second(clock: ManualClock) -> None:
    with Emulator(clock=clock) as emulator, client(emulator, "revenuebase") as api:
        codes = [api.post("/v2/email/verify", json={"email": "a@b.com"}).status_code for _ in range(6)]
        assert codes == [200] * 5 + [429]
        clock.advance(1)
        assert api.post("/v2/email/verify", json={"email": "a@b.com"}).status_code == 200


def test_limits_can_be_switched_off(emulator: Emulator) -> None:
    with client(emulator, "revenuebase") as api:
        assert {api.get("/v2/account/balance").status_code for _ in range(70)} == {200}

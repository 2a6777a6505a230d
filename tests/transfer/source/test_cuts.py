"""An answer that ends after each of its bytes, in each framing: the whole file lands, or a typed error says so."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import BatchDlError
from tests.transfer.conftest import ClientFor, left_in
from tests.transfer.source.test_wire import VALIDATED, Landed, answer, chunks

BODY = b"email,status\nada@example.com,Valid\nbob@example.com,Invalid\n"
PACKED = gzip.compress(BODY, mtime=0)
GZIP = "Content-Encoding: gzip"

FRAMINGS = {
    "length": answer(BODY, f"Content-Length: {len(BODY)}"),
    "chunked": answer(chunks(BODY, 20), "Transfer-Encoding: chunked"),
    "close": answer(BODY),
    "length, gzip": answer(PACKED, f"Content-Length: {len(PACKED)}", GZIP),
    "chunked, gzip": answer(chunks(PACKED, 20), "Transfer-Encoding: chunked", GZIP),
    "close, gzip": answer(PACKED, GZIP),
}


@pytest.fixture
def land(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> Landed:
    return Landed(emulator, client_for, tmp_path)


def cuts(whole: bytes, after: bytes = b"\r\n") -> range:
    """From the end of the status line on: what comes before is no answer, see `test_what_is_no_answer`."""
    return range(whole.index(after), len(whole))


def cuts_of(framing: str) -> range:
    """Those of the body; of one response, those of a head that has all fields, too."""
    return cuts(FRAMINGS[framing], b"\r\n" if framing == "chunked, gzip" else b"\r\n\r\n")


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_cut_once_costs_a_second_try(land: Landed, framing: str) -> None:
    whole = FRAMINGS[framing]
    for at in cuts_of(framing):
        landing = land(whole[:at], whole)
        assert land.content == BODY, at
        assert (landing.bytes, left_in(land.folder)) == (len(BODY), ["result.csv"]), at
        land.path.unlink()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_cut_each_time_never_lands_as_proven(land: Landed, framing: str) -> None:
    """What ends with the connection, says no size and is cut at the same byte again counts as read twice, no more."""
    whole = FRAMINGS[framing]
    for at in cuts_of(framing):
        landing = None
        with contextlib.suppress(BatchDlError):
            landing = land(whole[:at])
        if landing is None:
            assert left_in(land.folder) == [], at
            continue
        if framing == "close":
            assert landing.verified_by == ("read-twice", "csv-end"), at
        else:
            assert land.content == BODY, at  # only what ends the last chunk is missing
            assert (framing[:7], len(whole) - at <= 2) == ("chunked", True)
        land.path.unlink()


def test_a_redirect_that_is_cut_is_not_followed(land: Landed) -> None:
    """Half of an address may be another's: `/results/12` of `/results/129`."""
    redirect = answer(b"", "Content-Length: 0", "Location: /results/129", status="302 Found")
    for at in cuts(redirect):
        received: list[bytes] = []
        land.received = received
        land(redirect[:at], redirect, FRAMINGS["length"])
        targets = [request.split(b" ")[1] for request in received]
        assert set(targets) <= {b"/", b"/results/129"}, at
        assert land.content == BODY
        land.path.unlink()


@pytest.mark.parametrize("cut", [1, *range(2, len(BODY), 4), len(BODY) - 1])
def test_what_is_resumed_is_one_file(land: Landed, cut: int) -> None:
    """From a server that serves parts, which is cut again within the rest."""
    size = f"Content-Length: {len(BODY)}"
    middle = (cut + len(BODY)) // 2

    def rest(start: int) -> bytes:
        line = f"Content-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        return answer(BODY[start:], line, f"Content-Length: {len(BODY) - start}", VALIDATED[0], status="206 Part")

    first, second = answer(BODY, size, *VALIDATED), rest(cut)
    there = len(second) - (len(BODY) - middle)
    landing = land(first[: len(first) - len(BODY) + cut], second[:there], rest(middle))
    assert land.content == BODY
    assert landing.restarted == 0
    assert "content-length" in landing.verified_by

"""Answers that HTTP does not allow, or allows and nobody expects: what lands is whole, or nothing does."""

from __future__ import annotations

import gzip
import itertools
import os
import socket
import time
import zlib
from base64 import b64encode
from collections.abc import Callable
from email.utils import formatdate
from hashlib import md5, sha256
from pathlib import Path
from typing import ClassVar

import pytest

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    ResultNotReadyError,
    TransferError,
    TruncatedDownloadError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import download
from airflow_provider_batchdl.transfer.source import connection, framing, retry_budget, stream
from tests.support.raw_server import Answer, serving
from tests.transfer.conftest import ClientFor, left_in, local

WHOLE = b"email,status\n" + b"".join(b"%d@example.com,Valid\n" % number for number in range(40))
CUT = WHOLE[: WHOLE.index(b"@", len(WHOLE) // 4) + 3]
ALL = f"Content-Range: bytes 0-{len(WHOLE) - 1}/{len(WHOLE)}"


def chunks(body: bytes, size: int = 100) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answer(
    body: bytes, *lines: bytes | str, status: str = "200 OK", version: str = "1.1", media: str = "text/csv"
) -> bytes:
    first = f"HTTP/{version} {status}\r\nContent-Type: {media}\r\n".encode()
    return (
        first
        + b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines)
        + b"\r\n"
        + body
    )


class Landed:
    """Downloads what a raw server says in the store's place."""

    def __init__(self, emulator: Emulator, client_for: ClientFor, folder: Path) -> None:
        self.emulator, self.client_for, self.folder = emulator, client_for, folder
        self.path = folder / "result.csv"
        self.tail = ""
        self.pause = 0.0
        self.received: list[bytes] | None = None

    def __call__(self, *answers: Answer, vendor: str = "apartmentiq") -> Landing:
        job = self.emulator.add_job(vendor, result=ResultSpec(bytes=len(WHOLE), format="csv"), state="succeeded")
        self.emulator.clear_faults()
        with serving(*answers, pause=self.pause, received=self.received) as url:
            self.emulator.add_fault(Fault("redirect", operation="download", location=url + self.tail, times=99))
            return download(self.client_for(vendor), job.id, local(self.path))

    def refused(self, *answers: Answer, error: type[BatchDlError] = BatchDlError) -> BatchDlError:
        with pytest.raises(error) as caught:
            self(*answers)
        assert left_in(self.folder) == []
        assert (caught.value.vendor, bool(caught.value.job_id)) == ("apartmentiq", True)
        return caught.value

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()


@pytest.fixture
def land(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> Landed:
    return Landed(emulator, client_for, tmp_path)


class TestLengths:
    @pytest.mark.parametrize("value", ["unknown", "", "\xb2"])  # more of them in test_head.py
    def test_one_that_is_none_proves_nothing(self, land: Landed, value: str) -> None:
        line = b"Content-Length: " + value.encode("latin-1")
        land.refused(answer(CUT, line), error=TruncatedDownloadError)
        landing = land(answer(WHOLE, line))
        assert land.content == WHOLE
        assert "content-length" not in landing.verified_by

    @pytest.mark.parametrize("lines", [["Content-Length: 99999, 99999"], ["Content-Length: 99999"] * 2])
    def test_one_that_is_said_twice_holds(self, land: Landed, lines: list[str]) -> None:
        land.refused(answer(WHOLE, *lines), error=TransferError)
        landing = land(answer(WHOLE, *(line.replace("99999", str(len(WHOLE))) for line in lines)))
        assert land.content == WHOLE
        assert "content-length" in landing.verified_by

    @pytest.mark.parametrize("lines", [["Content-Length: 5", "Content-Length: 6"], [f"Content-Length: {'9' * 5000}"]])
    def test_two_that_differ_and_absurd_ones_prove_nothing(self, land: Landed, lines: list[str]) -> None:
        land.refused(answer(CUT, *lines))

    def test_a_smaller_one_than_what_comes_is_the_end(self, land: Landed) -> None:
        size = WHOLE.index(b"\n", 200) + 1
        assert "content-length" in land(answer(WHOLE, f"Content-Length: {size}")).verified_by
        assert land.content == WHOLE[:size]

    @pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br"])
    def test_nothing_of_nothing_is_an_empty_file(self, land: Landed, coding: str) -> None:
        declared = f"Content-Encoding: {coding}"
        framings = {
            "content-length": (b"", "Content-Length: 0"),
            "chunked": (chunks(b""), "Transfer-Encoding: chunked"),
        }
        for word, (body, line) in framings.items():
            landing = land(answer(body, line, declared))
            assert (landing.bytes, land.content, word in landing.verified_by) == (0, b"", True)
            land.path.unlink()
        land.refused(answer(b"", declared), error=TruncatedDownloadError)


class TestTransferCodings:
    @pytest.mark.parametrize(
        "lines",
        [["Transfer-Encoding: chunked"], ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"],
         ["Transfer-Encoding: chunked", "Content-Length: 5"], ["Content-Length: 5", "transfer-encoding:\tCHUNKED"],
         ["this is no header", "Transfer-Encoding: chunked"], [b"\xdcber: x", "Transfer-Encoding : chunked"]],
        ids=str,
    )  # fmt: skip
    def test_chunks_are_undone_and_prove_the_end(self, land: Landed, lines: list[str | bytes]) -> None:
        landing = land(answer(chunks(WHOLE), *lines))
        assert land.content == WHOLE
        assert "chunked" in landing.verified_by
        assert "content-length" not in landing.verified_by
        land.path.unlink()
        for cut in (chunks(WHOLE)[:-5], chunks(WHOLE)[:-4], b"100\r\n" + WHOLE[:0x100] + b"\r\n0", chunks(CUT)[:-5]):
            land.refused(answer(cut, *lines), error=TransferError)

    @pytest.mark.parametrize(
        "lines",
        [["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked"] * 2,
         ["no header", "Transfer-Encoding: gzip, chunked"]],
        ids=str,
    )  # fmt: skip
    def test_what_cannot_be_undone_is_refused(self, land: Landed, lines: list[str]) -> None:
        error = land.refused(answer(chunks(WHOLE), *lines), error=UnexpectedResponseError)
        assert "transfer coding" in error.message
        assert error.retryable

    def test_a_chunk_is_as_long_as_it_says(self, land: Landed) -> None:
        for behind in (b"XX", b",1", b"\n\r"):
            body = b"5\r\n" + WHOLE[:5] + behind + b"0\r\n\r\n"
            land.refused(answer(body, "Transfer-Encoding: chunked"), error=TransferError)

    @pytest.mark.parametrize("size", [b"+5", b"-5", b"0x5", b"5_0", b" 5", b"", b"g"])
    def test_a_chunks_size_is_a_number(self, land: Landed, size: bytes) -> None:
        land.refused(
            answer(size + b"\r\n" + WHOLE[:5] + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), error=TransferError
        )


class TestHeads:
    def test_interim_answers_are_passed_over(self, land: Landed) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 x\r\n\r\n"
        assert land(interim + answer(WHOLE, f"Content-Length: {len(WHOLE)}")).bytes == len(WHOLE)

    @pytest.mark.parametrize(
        "name", ["ETag", "Last-Modified", "Content-Type", "Content-Disposition", "X-Any", "Retry-After",
                 "Content-Range",                 "Content-Encoding", "Accept-Ranges", "Date", "Server"]
    )  # fmt: skip
    @pytest.mark.parametrize("value", [b"\xff\xfe", b"caf\xc3\xa9", b'"\x85"', b"a\x00b", b"\x1c,\x0b;="])
    def test_any_bytes_in_a_header_harm_nobody(self, land: Landed, name: str, value: bytes) -> None:
        lines = [f"Content-Length: {len(WHOLE)}".encode(), name.encode() + b": " + value]
        landing = land(answer(WHOLE, *lines))
        assert land.content == WHOLE
        assert "\x00" not in str(landing.to_dict())

    @pytest.mark.parametrize("status", ["404 Not Found", "503 Busy\xe9", "429 No", "500 No", "403 No", "418 No"])
    def test_any_bytes_in_a_refusals_header(self, land: Landed, status: str) -> None:
        body = b'{"error": "no \xff"}'
        error = land.refused(answer(body, b"X-Any: \xff\x00", b"Content-Encoding: caf\xe9", status=status))
        assert error.status == int(status[:3])

    @pytest.mark.parametrize(
        "location",
        [b"http://[::1", b"http://a..b/x", b"http://x:99999999/", b"http://x:y/", b"//", b"http://", b"http://\xff\xfe/",
         b"http://%zz/", b"https://" + b"a" * 300 + b"/", b"\x00", b"\xff://x"],
        ids=repr,
    )  # fmt: skip
    def test_a_location_that_is_no_url(self, land: Landed, location: bytes) -> None:
        land.refused(answer(b"", b"Location: " + location, b"Content-Length: 0", status="302 Found"))

    def test_a_location_that_is_two(self, land: Landed) -> None:
        land.refused(answer(b"", b"Location: /a", b"Location: /b", b"Content-Length: 0", status="302 Found"))

    def test_a_header_of_any_length_is_not_recorded(self, land: Landed) -> None:
        lines = [f"Content-Length: {len(WHOLE)}", f'ETag: "{"e" * 2000}"']
        [file] = land(answer(WHOLE, *lines, media=f"text/csv; x={'y' * 60_000}")).files
        assert (file.content_type, file.etag, file.rows) == (None, None, 40)

    def test_a_stored_coding_is_kept_in_the_second_reading_too(self, land: Landed) -> None:
        lines = ['Content-Disposition: attachment; filename="x.csv.br"', "Content-Encoding: br"]
        assert land(answer(WHOLE, *lines, version="1.0")).verified_by[0] == "read-twice"
        assert land.content == WHOLE

    def test_a_bare_carriage_return_ends_no_line(self, land: Landed) -> None:
        length = f"Content-Length: {len(WHOLE)}"
        assert land(answer(WHOLE, length, 'X-Any: a\rETag: "b"')).files[0].etag is None

    def test_a_folded_line_continues_a_value(self, land: Landed) -> None:
        length = f"Content-Length: {len(WHOLE)}"
        assert land(answer(WHOLE, length, 'ETag:\r\n "b"')).files[0].etag == '"b"'

    def test_a_head_of_too_many_lines(self, land: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(framing, "MOST_LINES", 9)
        land.refused(answer(WHOLE, *["X: y"] * 9, f"Content-Length: {len(WHOLE)}"), error=VendorUnavailableError)

    @pytest.mark.parametrize(
        "drip",
        [b"HTTP/1.1 200 OK\r\n" + b"X: %s\r\n" % (b"y" * 95) * 90, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000],
        ids=["head", "continue"],
    )
    def test_a_head_that_drips_is_given_up(self, land: Landed, monkeypatch: pytest.MonkeyPatch, drip: bytes) -> None:
        monkeypatch.setattr(connection, "IDLE_TIMEOUT", 0.3)
        land.pause = 0.02
        began = time.monotonic()
        land.refused(drip, error=VendorUnavailableError)
        assert time.monotonic() - began < 60  # of three minutes

    def test_what_stands_between_chunks_must_not_drip(self, land: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
        # Long, and with one try: a head that a busy machine brings later than this is another error.
        monkeypatch.setattr(connection, "IDLE_TIMEOUT", 3.0)
        monkeypatch.setattr(retry_budget, "FAILURES_WITHOUT_PROGRESS", 1)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for body in (b"5;" + b"x" * 9000, b"5\r\nabc,\n\r\n0\r\n" + b"A: b\r\n" * 900):

            def answer(connection: socket.socket, body: bytes = body) -> None:
                connection.sendall(head)  # at once: it may not drip either, and a busy machine makes pauses longer
                for byte in body:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.002)

            assert "Time" in land.refused(answer, error=TransferError).message

    def test_an_errors_body_must_not_drip(self, land: Landed, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream, "RATE_WINDOW", 0.3)
        land.pause = 0.005
        began = time.monotonic()
        land.refused(b"HTTP/1.1 403 No\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000)
        assert time.monotonic() - began < 60  # of more than three minutes


class TestOldServers:
    def test_chunks_under_an_old_version(self, land: Landed) -> None:
        assert "chunked" in land(answer(chunks(WHOLE), "Transfer-Encoding: chunked", version="1.0")).verified_by
        assert land.content == WHOLE
        land.path.unlink()
        land.refused(answer(chunks(WHOLE)[:-9], "Transfer-Encoding: chunked", version="1.0"), error=TransferError)

    @pytest.mark.parametrize(
        "said",
        [WHOLE, b"", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
         b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"\xff" * 90],
    )  # fmt: skip
    def test_what_is_no_answer(self, land: Landed, said: bytes) -> None:
        land.refused(said, error=VendorUnavailableError)


class TestStatus:
    @pytest.mark.parametrize("status", ["202 Accepted", "204 No Content"])
    def test_not_ready(self, land: Landed, status: str) -> None:
        error = land.refused(answer(b"", "Retry-After: 7", status=status), error=ResultNotReadyError)
        assert (error.retryable, error.retry_after, error.status) == (True, 7.0, int(status[:3]))

    @pytest.mark.parametrize(
        "status", ["201 Created", "203 Changed", "205 Reset", "207 Many", "304 Same", "300 Choose", "299 x"]
    )
    def test_no_file(self, land: Landed, status: str) -> None:
        lines = [f"Content-Length: {len(WHOLE)}", f"Content-Range: bytes 0-{len(WHOLE) - 1}/{len(WHOLE)}"]
        error = land.refused(answer(WHOLE, *lines, status=status), error=UnexpectedResponseError)
        assert error.status == int(status[:3])

    @pytest.mark.parametrize("length", [[], [f"Content-Length: {len(WHOLE)}"], ["Transfer-Encoding: chunked"]], ids=str)
    def test_a_part_that_is_all_of_the_file(self, land: Landed, length: list[str]) -> None:
        """Nobody asked for a range, and the size in it proves the file as a length would."""
        body = chunks(WHOLE) if "Transfer-Encoding: chunked" in length else WHOLE
        landing = land(answer(body, ALL, *length, status="206 Part"))
        assert (land.content, landing.restarted) == (WHOLE, 0)
        assert "content-length" in landing.verified_by
        assert "Range" not in str(landing.to_dict())

    @pytest.mark.parametrize("length", [[], ["Transfer-Encoding: chunked"]], ids=str)
    def test_a_part_that_says_to_be_all_and_is_cut(self, land: Landed, length: list[str]) -> None:
        body = chunks(CUT) if length else CUT
        land.refused(answer(body, ALL, *length, status="206 Part"), error=TransferError)

    def test_a_part_that_is_all_is_resumed(self, land: Landed) -> None:
        half = len(WHOLE) // 2
        rest = f"Content-Range: bytes {half}-{len(WHOLE) - 1}/{len(WHOLE)}"
        first = answer(WHOLE[:half], ALL, 'ETag: "v1"', f"Content-Length: {len(WHOLE)}", status="206 Part")
        landing = land(first, answer(WHOLE[half:], rest, 'ETag: "v1"', status="206 Part"))
        assert (land.content, landing.resumed, landing.restarted) == (WHOLE, 1, 0)

    def test_all_of_another_file_in_answer_to_a_range(self, land: Landed) -> None:
        other = WHOLE.replace(b"Valid", b"Wrong")
        first = answer(WHOLE[:200], 'ETag: "v1"', f"Content-Length: {len(WHOLE)}")
        landing = land(first, answer(other, ALL, 'ETag: "v2"', status="206 Part"))
        assert (land.content, landing.restarted) == (other, 1)

    @pytest.mark.parametrize(
        "lines",
        [
            [f"Content-Range: bytes 0-{len(WHOLE) - 1}/*"],
            [f"Content-Range: bytes=0-{len(WHOLE) - 1}/*"],
            [f"Content-Range: bytes 0-{len(WHOLE) - 1}/{len(WHOLE) + 1}"],
            [f"Content-Range: bytes 1-{len(WHOLE)}/{len(WHOLE) + 1}"],
            ["Content-Range: rows 0-99/1000"],
            ["Content-Range: 100-199/200"],
            ["Content-Range: items=9-9/*"],
            [ALL, f"Content-Length: {len(WHOLE) - 1}"],
            [ALL, f"Content-Length: {len(WHOLE) + 1}"],
            [ALL, "Transfer-Encoding: gzip, chunked"],
            [ALL, f"Content-Range: bytes 0-9/{len(WHOLE)}"],
        ],
        ids=str,
    )
    @pytest.mark.parametrize("status", ["206 Part", "200 OK"])
    def test_a_part_that_is_not_all_of_the_file(self, land: Landed, status: str, lines: list[str]) -> None:
        error = land.refused(answer(WHOLE, *lines, status=status), error=UnexpectedResponseError)
        assert error.status == int(status[:3])

    @pytest.mark.parametrize(
        "said",
        [f"bytes */{len(WHOLE)}", f"lines 0-{len(WHOLE) - 1}/{len(WHOLE)}",
         f"bytes 0-{len(WHOLE)}/{len(WHOLE)}", f"bytes=0-{len(WHOLE) - 1}/{len(WHOLE)}", "items 0-39/40", "0-24/*",
         "bytes", "", "none"],
    )  # fmt: skip
    def test_a_200_that_does_not_say_that_there_is_more(self, land: Landed, said: str) -> None:
        """Off by one, of records, or misspelt: there, the header has no meaning. In a 206, it has to be right."""
        lines = [f"Content-Range: {said}", f"Content-Length: {len(WHOLE)}"]
        assert "content-length" in land(answer(WHOLE, *lines)).verified_by
        assert land.content == WHOLE
        land.path.unlink()
        land.refused(answer(WHOLE, *lines, status="206 Part"), error=UnexpectedResponseError)
        land.refused(answer(CUT, *lines), error=TransferError)

    @pytest.mark.parametrize(
        ("said", "status"),
        [('{"error": "bad signature {}"}', "403 Forbidden"), ('{"error": "bad signature {}"}', "200 OK"),
         ("<html><title>No {}</title>", "403 Forbidden"), ("No {}", "500 No"), ("?x={}&y", "400 No")],
    )  # fmt: skip
    def test_an_error_that_repeats_the_links_signature(self, land: Landed, said: str, status: str) -> None:
        """As gateways do that show what they were asked for; by itself, nobody could know it for one."""
        signature, token = os.urandom(32).hex(), f"IQoJb3JpZ2luX2VjEJr%2F{os.urandom(50).hex()}"
        land.tail = f"b/x.csv?X-Amz-Signature={signature}&X-Amz-Security-Token={token}"
        for secret in (signature, token, token.replace("%2F", "/")):
            error = land.refused(answer(said.replace("{}", secret).encode(), status=status, media="text/html"))
            assert secret[:20] not in f"{error} {error.__dict__}"

    def test_a_part_of_nobody_knows_what(self, land: Landed) -> None:
        land.refused(answer(WHOLE, status="206 Part"), error=UnexpectedResponseError)

    @pytest.mark.parametrize(("status", "lines"), [("206 Part", [ALL]), ("200 OK", [])])
    def test_several_parts_that_say_to_be_all(self, land: Landed, status: str, lines: list[str]) -> None:
        media = "multipart/byteranges; boundary=x"
        land.refused(answer(WHOLE, *lines, status=status, media=media), error=UnexpectedResponseError)

    def test_a_vendors_refusal_is_its_own(self, emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
        job = emulator.add_job("revenuebase", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
        emulator.add_fault(
            Fault("status", operation="download", status=400, body=gzip.compress(b'{"detail": "Job must have status"}'),
                  content_type="application/json", headers={"content-encoding": "gzip"})
        )  # fmt: skip
        with pytest.raises(BatchDlError) as caught:
            download(client_for("revenuebase"), job.id, local(tmp_path / "x"))
        assert (caught.value.vendor_message, caught.value.job_id) == ("Job must have status", job.id)


class TestAtHome:
    """Answers of the vendor's own origin, which the account's limits are learned from, too."""

    ODD: ClassVar = dict.fromkeys(
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-reset-after", "retry-after",
         "etag", "server", "content-disposition", "x-any", "date", "set-cookie"],
        "\xff\xe9\x85;,=",
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("vendor", "status"),
        [*itertools.product(["proofy", "batchcom", "apartmentiq"], [None, 429]),
         *(("revenuebase", status) for status in (None, 202, 400, 404, 409, 429, 503))],
    )  # fmt: skip
    def test_any_bytes_in_any_header(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str, status: int | None
    ) -> None:
        job = emulator.add_job(vendor, result=ResultSpec(bytes=3000), state="succeeded")
        emulator.add_fault(Fault("headers", operation="download", headers=self.ODD, status=status, times=99))
        if status is None:
            assert download(client_for(vendor), job.id, local(tmp_path / "x")).bytes > 0
            return
        with pytest.raises(BatchDlError) as caught:
            download(client_for(vendor), job.id, local(tmp_path / "x"))
        assert (caught.value.vendor, caught.value.job_id, left_in(tmp_path)) == (vendor, job.id, [])


VALIDATED = ['ETag: "v1"', "Accept-Ranges: bytes"]
CHUNKED = "Transfer-Encoding: chunked"
HALF = len(WHOLE) // 2
OTHER = WHOLE.replace(b"Valid", b"Wrong")


class TestVersions:
    """The first answer is cut, the second says that it goes on: it does only if it surely is of the same file."""

    def after(self, land: Landed, first: list[str], second: list[str], *, date: float | None = None) -> Landing:
        lines = [*first, f"Content-Length: {len(WHOLE)}"]
        now = [f"Date: {formatdate(date, usegmt=True)}"]
        part = answer(OTHER[HALF:], *second, *now, status="206 Partial Content")
        return land(
            answer(WHOLE[:HALF], *lines, *now), part, answer(OTHER, *first[:0], f"Content-Length: {len(WHOLE)}")
        )

    RANGE = f"Content-Range: bytes {HALF}-{len(WHOLE) - 1}/{len(WHOLE)}"
    OLD, OLDER = (f"Last-Modified: {formatdate(seconds, usegmt=True)}" for seconds in (1_700_000_000, 1_600_000_000))

    def test_the_same_one(self, land: Landed) -> None:
        for first in (VALIDATED, [self.OLD]):
            landing = self.after(land, first, [*first, self.RANGE])
            assert land.content == WHOLE[:HALF] + OTHER[HALF:]
            assert (landing.resumed, landing.restarted) == (1, 0)
            assert "content-length" in landing.verified_by

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (VALIDATED, [RANGE, 'ETag: "v1"', 'ETag: "v2"']),
            ([OLD], [RANGE, OLDER]),
            ([OLD, 'ETag: W/"v1"'], [RANGE, OLD, 'ETag: W/"v2"']),
            ([OLD, "ETag: v1"], [RANGE, OLD, "ETag: v2"]),
            (VALIDATED, [RANGE, "Transfer-Encoding: gzip, chunked", *VALIDATED]),
            (VALIDATED, VALIDATED),
        ],
        ids=str,
    )  # more of them in test_head.py
    def test_another(self, land: Landed, first: list[str], second: list[str]) -> None:
        landing = self.after(land, first, second)
        assert land.content == OTHER
        assert landing.restarted == 1

    def test_a_date_of_the_same_time(self, land: Landed) -> None:
        now = time.time()  # read once: a second may end between two readings
        fresh = f"Last-Modified: {formatdate(now - 59, usegmt=True)}"
        assert self.after(land, [fresh], [self.RANGE, fresh], date=now).restarted == 1
        assert land.content == OTHER

    @pytest.mark.parametrize("framing", [[], ["Transfer-Encoding: chunked"]], ids=str)
    def test_a_part_that_ends_early_is_resumed(self, land: Landed, framing: list[str]) -> None:
        """Neither the end of a connection nor the last chunk shows that bytes are missing; the range does."""

        def part(start: int, end: int) -> bytes:
            said = f"Content-Range: bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}"
            body = chunks(WHOLE[start:end]) if framing else WHOLE[start:end]
            return answer(body, said, *VALIDATED, *framing, status="206 Partial Content")

        first = answer(WHOLE[:HALF], *VALIDATED, f"Content-Length: {len(WHOLE)}")
        landing = land(first, part(HALF, HALF + 50), part(HALF + 50, HALF + 60), part(HALF + 60, len(WHOLE)))
        assert (land.content, landing.resumed, landing.restarted) == (WHOLE, 3, 0)

    @pytest.mark.parametrize("etag", ['ETag: "v1"', 'ETag: "v2"', "X: y"])
    @pytest.mark.parametrize(
        "framing", [[f"Content-Length: {len(WHOLE) - HALF}"], ["Transfer-Encoding: chunked"]], ids=str
    )
    def test_the_rest_that_is_called_all(self, land: Landed, framing: list[str], etag: str) -> None:
        """A server that serves the range, and says 200: only the other size shows that it is not the whole file."""
        rest = WHOLE[HALF:] if framing[0].startswith("Content") else chunks(WHOLE[HALF:])
        whole = f"Content-Length: {len(WHOLE)}"
        land.received = []
        landing = land(
            answer(WHOLE[:HALF], *VALIDATED, whole), answer(rest, etag, *framing), answer(WHOLE, etag, whole)
        )
        assert (land.content, landing.restarted) == (WHOLE, 1)
        assert [b"\r\nrange: " in request.lower() for request in land.received] == [False, True, False]

    @pytest.mark.parametrize("etag", ['ETag: "v1"', 'ETag: W/"v1"', 'ETag: "v2"', None])
    def test_an_end_that_only_a_416_shows(self, land: Landed, etag: str | None) -> None:
        """The last chunk did not arrive, so it proves nothing; the size that the refusal names does."""
        first = answer(b"%x\r\n%b\r\n" % (len(WHOLE), WHOLE), *VALIDATED, "Transfer-Encoding: chunked")
        lines = [f"Content-Range: bytes */{len(WHOLE)}", *([etag] if etag else [])]
        refusal = answer(b"", *lines, "Content-Length: 0", status="416 No")
        landing = land(first, refusal, answer(OTHER, f"Content-Length: {len(OTHER)}"))
        same = etag in (None, 'ETag: "v1"')
        assert (land.content, landing.restarted) == ((WHOLE, 0) if same else (OTHER, 1))
        assert landing.verified_by == ("content-length", "csv-end")

    @pytest.mark.parametrize("end", [len(WHOLE), HALF])
    @pytest.mark.parametrize("framing", [[], ["Content-Length: {}"], ["Transfer-Encoding: chunked"]], ids=str)
    def test_a_part_of_nobody_knows_how_much_proves_no_end(self, land: Landed, framing: list[str], end: int) -> None:
        """The chunks of the first answer were cut; the second says no size, so that more may follow its bytes."""
        first = b"64\r\n" + WHOLE[:100] + b"\r\n"
        body, lines = WHOLE[100:end], [line.format(end - 100) for line in framing]
        said = f"Content-Range: bytes 100-{end - 1}/*"
        rest = answer(chunks(body) if framing[:1] == [CHUNKED] else body, VALIDATED[0], said, *lines, status="206 Part")
        landing = land(answer(first, *VALIDATED, CHUNKED), rest, answer(chunks(WHOLE), CHUNKED))
        assert (land.content, landing.resumed, landing.restarted) == (WHOLE, 1, int(end == HALF))
        assert landing.verified_by[0] == ("read-twice" if end > HALF else "chunked")

    @pytest.mark.parametrize("header", ["Repr-Digest: sha-256=:{}:", "Digest: SHA-256={}"])
    def test_a_checksum_that_only_the_rest_declares(self, land: Landed, header: str) -> None:
        """It is of the whole file: here the first byte is another version's."""
        digest = header.format(b64encode(sha256(WHOLE).digest()).decode())
        whole, rest = f"Content-Length: {len(WHOLE)}", f"Content-Range: bytes 1-{len(WHOLE) - 1}/{len(WHOLE)}"
        part = answer(WHOLE[1:], VALIDATED[0], rest, digest, status="206 Part")
        landing = land(answer(WHOLE[:1], *VALIDATED, whole), part)
        assert (landing.verified_by[:2], landing.resumed) == (("sha256", "content-length"), 1)
        landing = land(answer(b"?", *VALIDATED, whole), part, answer(WHOLE, *VALIDATED, whole))
        assert (land.content, landing.restarted) == (WHOLE, 1)

    @pytest.mark.parametrize("framing", ["Content-Length: {}", "Transfer-Encoding: chunked"])
    def test_the_rest_that_is_called_all_of_an_unknown_size(self, land: Landed, framing: str) -> None:
        rest = chunks(WHOLE[HALF:]) if framing == CHUNKED else WHOLE[HALF:]
        first = answer(b"%x\r\n%b\r\n" % (HALF, WHOLE[:HALF]), *VALIDATED, CHUNKED)
        second = answer(rest, VALIDATED[0], framing.format(len(rest)))
        assert land(first, second, answer(chunks(WHOLE), VALIDATED[0], CHUNKED)).restarted == 1
        assert land.content == WHOLE


class TestCodings:
    @pytest.mark.parametrize(
        "coding", ["aws-chunked", "utf-8", "binary", "none", "identity, identity", "UTF8", "7bit", "gzip", "deflate"]
    )
    def test_bytes_that_are_not_coded_are_the_files(self, land: Landed, coding: str) -> None:
        landing = land(answer(WHOLE, f"Content-Encoding: {coding}", f"Content-Length: {len(WHOLE)}"))
        assert land.content == WHOLE
        assert "content-length" in landing.verified_by

    def test_a_packed_file_stays_packed(self, land: Landed) -> None:
        packed = gzip.compress(WHOLE)
        lines = ["Content-Encoding: gzip", f"Content-Length: {len(packed)}", *VALIDATED,
                 'Content-Disposition: attachment; filename="x.csv.gz"']  # fmt: skip
        rest = f"Content-Range: bytes {len(packed) // 2}-{len(packed) - 1}/{len(packed)}"
        part = answer(packed[len(packed) // 2 :], rest, VALIDATED[0], lines[0], lines[-1], status="206 Part")
        landing = land(answer(packed[: len(packed) // 2], *lines), part)
        assert land.content == packed
        assert (landing.resumed, landing.restarted) == (1, 0)

    @pytest.mark.parametrize("whole", [True, False])
    def test_a_packed_file_that_stays_packed_is_checked(self, land: Landed, whole: bool) -> None:
        """Google's hash is of the stored bytes, which are these, as they are not unpacked on the way."""
        packed = gzip.compress(WHOLE)
        digest = b64encode(md5(packed if whole else WHOLE, usedforsecurity=False).digest()).decode()
        lines = ["Content-Encoding: gzip", "x-goog-stored-content-encoding: gzip", f"x-goog-hash: md5={digest}",
                 f"Content-Length: {len(packed)}", 'Content-Disposition: attachment; filename="x.csv.gz"']  # fmt: skip
        said = answer(packed, *lines)
        if whole:
            assert land(said).verified_by == ("md5", "content-length")
        else:
            land.refused(said, error=ChecksumMismatchError)

    @pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
    def test_a_packed_file_that_was_packed_again_stays_packed_once(
        self, land: Landed, coding: str, pack: Callable[[bytes], bytes]
    ) -> None:
        stored = gzip.compress(WHOLE)
        body = pack(stored)
        lines = [f"Content-Encoding: gzip, {coding}", f"Content-Length: {len(body)}",
                 'Content-Disposition: attachment; filename="x.csv.gz"']  # fmt: skip
        landing = land(answer(body, *lines))
        assert land.content == stored
        assert "content-length" in landing.verified_by
        assert land(answer(body, lines[0], lines[2])).verified_by == ("gzip",)

    @pytest.mark.parametrize(
        "packed", [gzip.compress(WHOLE), zlib.compress(WHOLE), zlib.compress(WHOLE)[2:-4]], ids=["gzip", "zlib", "raw"]
    )
    def test_a_packed_answer_is_unpacked(self, land: Landed, packed: bytes) -> None:
        coding = "gzip" if packed.startswith(b"\x1f") else "deflate"
        land(answer(packed, f"Content-Encoding: {coding}", f"Content-Length: {len(packed)}"))
        assert land.content == WHOLE

    @pytest.mark.parametrize("cut", [1, 5, 50])
    def test_a_short_raw_deflate_that_is_cut_is_no_text(self, land: Landed, cut: int) -> None:
        body = zlib.compress(WHOLE)[2 : -4 - cut]
        land.refused(answer(body, "Content-Encoding: deflate", f"Content-Length: {len(body)}"), error=TransferError)

    @pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "compress"])
    def test_what_is_not_undone_is_refused(self, land: Landed, coding: str) -> None:
        error = land.refused(
            answer(b"x", f"Content-Encoding: {coding}", "Content-Length: 1"), error=UnexpectedResponseError
        )
        assert error.remedy


class TestAnnouncedSizes:
    """Batch.com says how large a file is before it is asked for."""

    def land(
        self, emulator: Emulator, client_for: ClientFor, folder: Path, *answers: bytes, size: int = 9000
    ) -> Landing:
        job = emulator.add_job("batchcom", result=ResultSpec(bytes=size, format="jsonl"), state="succeeded")
        with serving(*answers) as url:
            emulator.add_fault(Fault("redirect", operation="download", location=url, times=99))
            return download(client_for("batchcom"), job.id, local(folder / "x.jsonl"))

    def test_an_equal_one_is_a_proof(self, emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
        body = b'{"a": 1}\n' * 1000
        landing = self.land(emulator, client_for, tmp_path, answer(body, media="application/x-ndjson"))
        assert "announced-size" in landing.verified_by

    @pytest.mark.parametrize("framed", [True, False])
    def test_less_is_cut(self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, framed: bool) -> None:
        body = b'{"a": 1}\n' * 999
        lines = [f"Content-Length: {len(body)}"] if framed else []
        with pytest.raises(TruncatedDownloadError, match=r"8991 bytes .* 9000") as caught:
            self.land(emulator, client_for, tmp_path, answer(body, *lines, media="application/x-ndjson"))
        assert (caught.value.vendor, left_in(tmp_path)) == ("batchcom", [])

    def test_less_is_asked_for_once_more(self, emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
        body = b'{"a": 1}\n' * 1000
        landing = self.land(emulator, client_for, tmp_path, answer(body[:9]), answer(body))
        assert (landing.bytes, landing.restarted) == (9000, 1)

    def test_more_is_said(
        self, emulator: Emulator, client_for: ClientFor, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        body = b'{"a": 1}\n' * 1001
        landing = self.land(emulator, client_for, tmp_path, answer(body, f"Content-Length: {len(body)}"))
        assert "announced-size" not in landing.verified_by
        assert "Received 9009 bytes of a file that the vendor announced with 9000" in caplog.text

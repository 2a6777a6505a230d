"""What the network, the vendor and the store can do to a transfer, and that the destination never shows it."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchdl.emulator import Emulator, Fault, ResultSpec
from airflow_provider_batchdl.exceptions import (
    AuthenticationError,
    BatchDlError,
    ChecksumMismatchError,
    PermissionDeniedError,
    ResultExpiredError,
    TransferError,
    UnexpectedResponseError,
    UnsafeRedirectError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.jobs import Landing
from airflow_provider_batchdl.transfer.job_download import download
from tests.transfer.conftest import ClientFor, left_in, local

SIZE = 3_000_000
THIRD = SIZE // 3


@dataclass
class Run:
    """One download with faults."""

    landing: Landing
    wire: int
    whole: bool


def run(emulator: Emulator, client_for: ClientFor, folder: Path, *faults: Fault, vendor: str = "apartmentiq") -> Run:
    kind = "jsonl" if vendor == "batchcom" else "csv"
    job = emulator.add_job(vendor, result=ResultSpec(bytes=SIZE, format=kind), state="succeeded")
    for fault in faults:
        emulator.add_fault(fault)
    landing = download(client_for(vendor), job.id, local(folder / "result.csv"))
    content = (folder / "result.csv").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert digest == landing.files[0].sha256
    wire = sum(r.bytes_sent for r in emulator.requests if r.operation == "store" or r.path.endswith("/download"))
    return Run(landing, wire, whole=digest == job.files()[0].sha256)


@pytest.mark.parametrize("abort", [False, True])
def test_a_dropped_connection_goes_on_at_the_same_byte(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, abort: bool
) -> None:
    cut = Fault("cut", operation="store", after_bytes=THIRD, abort=abort, times=2)
    result = run(emulator, client_for, tmp_path, cut)
    assert result.whole
    assert result.landing.resumed == 2
    # An abort throws away what was still on its way; an orderly end does not.
    assert abort or result.wire <= 1.02 * SIZE


@pytest.mark.parametrize(
    "fault",
    [
        Fault("ignore_range", operation="store"),
        Fault("wrong_range", operation="store"),
        Fault("status", operation="store", status=503, retry_after=2),
        Fault("status", operation="store", status=500),
        Fault("expired_link", operation="store"),
        Fault("expired_link", operation="store", code="ExpiredToken"),
        Fault("weak_etag", operation="store"),
        Fault("reset", operation="store"),
        Fault("wrong_length", operation="store", length_delta=1000),
        Fault("chunked_eof", operation="store", after_bytes=THIRD),
        Fault("reset", operation="download"),
        Fault("status", operation="download", status=503),
        Fault("status", operation="download", status=429, retry_after=1),
    ],
    ids=lambda fault: f"{fault.operation}-{fault.kind}-{fault.status or fault.code}",
)
def test_a_fault_after_a_drop_is_survived(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, fault: Fault
) -> None:
    result = run(emulator, client_for, tmp_path, Fault("cut", operation="store", after_bytes=THIRD), fault)
    assert result.whole
    assert left_in(tmp_path) == ["result.csv"]


def test_a_file_that_changes_after_a_drop_is_taken_whole_in_its_new_version(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    faults = Fault("cut", operation="store", after_bytes=THIRD), Fault("changed_file", operation="store")
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    before = job.files()[0].sha256
    for fault in faults:
        emulator.add_fault(fault)
    landing = download(client_for("apartmentiq"), job.id, local(tmp_path / "result.csv"))
    assert landing.files[0].sha256 == job.files()[0].sha256 != before
    assert landing.files[0].sha256 == hashlib.sha256((tmp_path / "result.csv").read_bytes()).hexdigest()


def test_a_link_that_makes_a_new_file_begins_again(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    """Batch.com: every link is a new file, so what came of the old one is not mixed with it."""
    cut = Fault("cut", operation="store", after_bytes=THIRD)
    result = run(emulator, client_for, tmp_path, cut, vendor="batchcom")
    assert result.whole


@pytest.mark.parametrize("vendor", ["revenuebase", "proofy"])
def test_a_vendors_own_stream_without_ranges_begins_again(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str
) -> None:
    result = run(emulator, client_for, tmp_path, Fault("cut", operation="download", after_bytes=1000), vendor=vendor)
    assert result.whole


def test_a_cut_that_nothing_declares_is_found_in_the_content(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    result = run(emulator, client_for, tmp_path, Fault("no_length", operation="store", after_bytes=THIRD + 7))
    assert result.whole


@pytest.mark.parametrize("times", [1, 20])
def test_a_flipped_bit_is_found_by_a_declared_checksum(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, times: int
) -> None:
    fault = Fault("bitflip", operation="store", at_byte=THIRD, declare_checksum=True, times=times)
    if times == 1:
        assert run(emulator, client_for, tmp_path, fault).whole
    else:
        with pytest.raises(ChecksumMismatchError):
            run(emulator, client_for, tmp_path, fault)
        assert left_in(tmp_path) == []


@pytest.mark.parametrize("at", [0, SIZE - 1])
def test_a_checksum_that_only_the_response_with_all_bytes_declares_holds(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, at: int
) -> None:
    """The one before it, of the same file, was cut before its first byte, and declared none."""
    flip = Fault("bitflip", operation="store", at_byte=at, declare_checksum=True)
    result = run(emulator, client_for, tmp_path, Fault("cut", operation="store", after_bytes=0), flip)
    assert result.whole
    assert result.landing.restarted == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("cut", operation="store", after_bytes=0, times=99), TransferError),
        (Fault("expired_link", operation="store", times=99), ResultExpiredError),
        (Fault("status", operation="store", status=503, times=99), VendorUnavailableError),
        (Fault("status", operation="store", status=503, retry_after=600), VendorUnavailableError),
        (Fault("status", operation="store", status=400), UnexpectedResponseError),
        (Fault("html", operation="store", times=9), UnexpectedResponseError),
        (Fault("html", operation="download", times=9), UnexpectedResponseError),
        (Fault("status", operation="download", status=403, body=""), PermissionDeniedError),
        (
            Fault("redirect", operation="download", location="http://169.254.169.254/latest/meta-data"),
            UnsafeRedirectError,
        ),
        (Fault("redirect", operation="download", location="file:///etc/passwd"), UnsafeRedirectError),
        (Fault("redirect", operation="download", location="/apartmentiq/loop", times=99), BatchDlError),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value.__name__,
)
def test_what_cannot_be_had_ends_typed_and_leaves_nothing(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, fault: Fault, error: type[BatchDlError]
) -> None:
    with pytest.raises(error):
        run(emulator, client_for, tmp_path, fault)
    assert left_in(tmp_path) == []


def test_an_existing_result_survives_a_failed_download(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    (tmp_path / "result.csv").write_text("yesterday's\n")
    with pytest.raises(TransferError):
        run(emulator, client_for, tmp_path, Fault("cut", operation="store", after_bytes=0, times=99))
    assert (tmp_path / "result.csv").read_text() == "yesterday's\n"
    assert left_in(tmp_path) == ["result.csv"]


@pytest.mark.parametrize("vendor", ["batchcom", "apartmentiq"])
def test_no_credential_leaves_the_connections_origin(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path, vendor: str
) -> None:
    """The emulator's store refuses links that come with one, as S3 does; here it is read from what it was sent."""
    run(emulator, client_for, tmp_path, vendor=vendor)
    for request in (request for request in emulator.requests if request.operation == "store"):
        assert not {"authorization", "x-batch-project", "x-key", "cookie"} & set(request.headers)
        assert request.headers["accept-encoding"] == "identity"


def test_an_oauth_token_that_ends_is_renewed_for_the_download(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    client = client_for("apartmentiq")
    client.run(client.vendor.check())
    emulator.add_fault(Fault("cut", operation="store", after_bytes=THIRD))
    job = emulator.add_job("apartmentiq", result=ResultSpec(bytes=SIZE, format="csv"), state="succeeded")
    emulator.add_fault(Fault("status", operation="download", status=401, body='{"error":"Unauthorized"}'))
    landing = download(client, job.id, local(tmp_path / "result.csv"))
    assert landing.files[0].sha256 == job.files()[0].sha256
    assert [request.operation for request in emulator.requests].count("token") == 2


def test_a_key_that_stays_is_refused_once(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    emulator.add_fault(Fault("status", operation="download", status=401, times=9))
    job = emulator.add_job("batchcom", state="succeeded")
    with pytest.raises(AuthenticationError):
        download(client_for("batchcom"), job.id, local(tmp_path / "result.csv"))
    assert [request.operation for request in emulator.requests].count("download") == 1


FAULTS = st.one_of(
    st.builds(
        lambda kind, at: Fault(kind, operation="store", after_bytes=at),
        st.sampled_from(["cut", "chunked_eof"]),
        st.integers(0, 60_000),
    ),
    st.sampled_from(
        [
            Fault("ignore_range", operation="store"),
            Fault("wrong_range", operation="store", range_shift=1),
            Fault("changed_file", operation="store"),
            Fault("weak_etag", operation="store"),
            Fault("expired_link", operation="store"),
            Fault("reset", operation="store"),
            Fault("status", operation="store", status=503),
            Fault("status", operation="download", status=502),
            Fault("bitflip", operation="store", at_byte=1, declare_checksum=True),
            Fault("html", operation="store"),
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([200, 65_535, 65_536, 65_537, 120_000]),
    faults=st.lists(FAULTS, max_size=4),
    vendor=st.sampled_from(["apartmentiq", "batchcom"]),
)
def test_whatever_happens_the_destination_is_absent_or_right(
    emulator: Emulator,
    client_for: ClientFor,
    tmp_path_factory: pytest.TempPathFactory,
    size: int,
    faults: list[Fault],
    vendor: str,
) -> None:
    emulator.reset()
    folder = tmp_path_factory.mktemp("schedule")
    job = emulator.add_job(vendor, result=ResultSpec(bytes=size, format="jsonl"), state="succeeded")
    # As a store does, in each response: a wrong bit that only the response with it could have shown is not seen.
    job.declares_checksums = any(fault.kind == "bitflip" for fault in faults)
    for fault in faults:
        emulator.add_fault(fault)
    try:
        landing = download(client_for(vendor), job.id, local(folder / "result.jsonl"))
    except BatchDlError:
        assert left_in(folder) == []
    else:
        content = (folder / "result.jsonl").read_bytes()
        assert hashlib.sha256(content).hexdigest() == landing.files[0].sha256
        assert landing.files[0].sha256 in {file.sha256 for file in job.files()}
        assert left_in(folder) == ["result.jsonl"]


def test_a_declared_length_proves_a_file_without_a_last_line_break(
    emulator: Emulator, client_for: ClientFor, tmp_path: Path
) -> None:
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
    body = "email,status\na@example.com,Valid"
    emulator.add_fault(Fault("status", operation="download", status=200, body=body, content_type="text/csv"))
    landing = download(client_for("revenuebase"), job.id, local(tmp_path / "result.csv"))
    assert "content-length" in landing.verified_by
    assert (tmp_path / "result.csv").read_text() == body


def test_a_coding_that_was_not_asked_for_is_undone(emulator: Emulator, client_for: ClientFor, tmp_path: Path) -> None:
    body = b"email,status\na@example.com,Valid\n"
    job = emulator.add_job("revenuebase", result=ResultSpec(bytes=900, format="csv"), state="succeeded")
    emulator.add_fault(
        Fault(
            "status",
            operation="download",
            status=200,
            body=gzip.compress(body),
            content_type="text/csv",
            headers={"Content-Encoding": "gzip"},
        )
    )
    download(client_for("revenuebase"), job.id, local(tmp_path / "result.csv"))
    assert (tmp_path / "result.csv").read_bytes() == body

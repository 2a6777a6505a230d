"""Checksums that responses declare."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer.verify import checksums
from airflow_provider_batchdl.transfer.verify.checksums import (
    SIZES,
    DeclaredChecksum,
    Digests,
    can_compute,
    declared_checksums,
)

DATA = b"123456789"


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def test_what_s3_declares() -> None:
    sha = hashlib.sha256(DATA).digest()
    crc = zlib.crc32(DATA).to_bytes(4, "big")
    found, unknown = declared_checksums(
        {
            "Content-MD5": b64(hashlib.md5(DATA, usedforsecurity=False).digest()),
            "X-Amz-Checksum-SHA256": b64(sha),
            "x-amz-checksum-crc32": b64(crc),
            "x-amz-checksum-type": "FULL_OBJECT",
            "ETag": '"abc"',
            "Content-Length": "9",
        }
    )
    assert {(each.algorithm, each.header) for each in found} == {
        ("md5", "content-md5"),
        ("sha256", "x-amz-checksum-sha256"),
        ("crc32", "x-amz-checksum-crc32"),
    }
    assert unknown == []
    digests = Digests(each.algorithm for each in found)
    digests.update(DATA)
    assert all(digests.digest(each.algorithm) == each.expected for each in found)


def test_a_composite_of_an_s3_upload_is_none_of_the_file() -> None:
    """Also where the store leaves out the number of parts behind it."""
    headers = {"x-amz-checksum-crc32": b64(bytes(4)), "x-amz-checksum-type": "COMPOSITE", "content-md5": b64(bytes(16))}
    found, unknown = declared_checksums(headers)
    assert ([each.algorithm for each in found], unknown) == (["md5"], ["x-amz-checksum-crc32"])


@pytest.mark.parametrize(
    "value",
    [
        f"{b64(bytes(32))}-3",  # a composite of a multipart upload
        b64(bytes(31)),
        b64(bytes(33)),
        bytes(32).hex(),
        b64(bytes(32))[:-1],
        f"{b64(bytes(32))} x",
        "ä",
        "",
    ],
)
def test_values_that_prove_nothing_are_named(value: str) -> None:
    assert declared_checksums({"X-Amz-Checksum-Sha256": value}) == ([], ["x-amz-checksum-sha256"])


def test_unknown_algorithms_are_named() -> None:
    assert declared_checksums({"x-amz-checksum-xxhash128": b64(bytes(16))}) == ([], ["x-amz-checksum-xxhash128"])


def test_google(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "can_compute", lambda algorithm: algorithm != "crc32c")
    headers = {"X-Goog-Hash": f"crc32c={b64(bytes(4))},md5={b64(bytes(16))}"}
    expected = DeclaredChecksum("md5", bytes(16), "x-goog-hash")
    assert declared_checksums(headers) == ([expected], ["x-goog-hash"])
    monkeypatch.setattr(checksums, "can_compute", lambda _: True)
    assert len(declared_checksums(headers)[0]) == 2
    # Unpacked on the way (transcoding): the hashes are of the packed file.
    assert declared_checksums({**headers, "x-goog-stored-content-encoding": "gzip"}) == ([], ["x-goog-hash"])
    packed = {**headers, "x-goog-stored-content-encoding": "gzip", "content-encoding": "gzip"}
    assert len(declared_checksums(packed)[0]) == 2


@pytest.mark.parametrize("header", ["Repr-Digest", "content-digest"])
def test_rfc_9530(header: str) -> None:
    sha256, sha512 = hashlib.sha256(DATA).digest(), hashlib.sha512(DATA).digest()
    found, unknown = declared_checksums({header: f"sha-256=:{b64(sha256)}:, SHA-512=:{b64(sha512)}:;q=1"})
    assert [(each.algorithm, each.expected) for each in found] == [("sha256", sha256), ("sha512", sha512)]
    assert unknown == []
    for value in ("md5=:" + b64(bytes(16)) + ":", "sha-256=" + b64(sha256), "sha-256=:x:", "?"):
        assert declared_checksums({header: value}) == ([], [header.lower()])


def test_rfc_3230() -> None:
    sha256 = hashlib.sha256(DATA).digest()
    found, unknown = declared_checksums({"Digest": f"SHA-256={b64(sha256)}, unixsum=30637"})
    assert ([(each.algorithm, each.expected) for each in found], unknown) == ([("sha256", sha256)], ["digest"])
    assert declared_checksums({"Digest": f"sha-256={sha256.hex()}"}) == ([], ["digest"])


@given(
    st.dictionaries(
        st.sampled_from(["content-md5", "x-goog-hash", "repr-digest", "digest", "x-amz-checksum-crc32"]), st.text()
    )
)
def test_any_text_is_survived(headers: dict[str, str]) -> None:
    found, _ = declared_checksums(headers)
    assert all(len(each.expected) == SIZES[each.algorithm] for each in found)


def test_md5_and_crc_of_a_known_text() -> None:
    digests = Digests(["md5", "crc32", "sha1", "sha512", "md5"])
    for byte in DATA:
        digests.update(memoryview(bytes([byte])))
    assert digests.digest("crc32").hex() == "cbf43926"
    assert digests.digest("md5") == hashlib.md5(DATA, usedforsecurity=False).digest()
    assert digests.digest("sha1") == hashlib.sha1(DATA, usedforsecurity=False).digest()
    assert digests.digest("sha512") == hashlib.sha512(DATA).digest()


@pytest.mark.parametrize(("algorithm", "check"), [("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")])
def test_optional_libraries(algorithm: str, check: str) -> None:
    if not can_compute(algorithm):
        with pytest.raises(ValueError, match="cannot be computed"):
            Digests([algorithm])
        return
    digests = Digests([algorithm])
    digests.update(DATA[:4])
    digests.update(memoryview(DATA[4:]))
    assert digests.digest(algorithm).hex() == check


CRCS = [algorithm for algorithm in SIZES if algorithm.startswith("crc") and can_compute(algorithm)]


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_crcs_that_continue_elsewhere(chunks: list[bytes]) -> None:
    whole, digests = Digests(CRCS), Digests(CRCS)
    for chunk in chunks:
        whole.update(chunk)
        digests.update(chunk)
        digests = Digests(CRCS, json.loads(json.dumps(digests.crcs)))
    assert {name: digests.digest(name) for name in CRCS} == {name: whole.digest(name) for name in CRCS}


def test_hashes_do_not_continue() -> None:
    assert Digests(["crc32", "sha256"]).crcs == {"crc32": 0}


@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_value_that_no_crc_has_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="is no crc32"):
        Digests(["crc32"], {"crc32": value})

"""Hashes that go on where another one stopped."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.transfer import midstate

ALGORITHMS = ["md5", "sha1", "sha256", "sha512"]

pytestmark = pytest.mark.skipif(
    not midstate.is_available("sha256"), reason="this Python's OpenSSL is built in, or lacks the functions"
)


def gone_on_with(running: midstate.MidstateHash, algorithm: str) -> midstate.MidstateHash:
    """A new hash that goes on where `running` stopped, by way of JSON."""
    other = midstate.new(algorithm)
    other.restore(json.loads(json.dumps(running.snapshot())), running.bytes_seen)
    return other


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(chunks=st.lists(st.binary(max_size=300), max_size=12))
def test_taken_up_anywhere_it_is_hashlibs_digest(algorithm: str, chunks: list[bytes]) -> None:
    running = midstate.new(algorithm)
    expected = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in chunks:
        running = gone_on_with(running, algorithm)
        running.update(memoryview(chunk))
        expected.update(chunk)
        assert running.digest() == expected.digest()  # which does not end it
    assert running.bytes_seen == sum(map(len, chunks))


def test_the_state_is_the_one_of_the_standard() -> None:
    """FIPS 180-4, section 5.3.3: what SHA-256 begins with."""
    running = midstate.new("sha256")
    running.update(b"abc")
    chain = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
    assert running.snapshot() == {"chain": chain, "tail": "616263"}
    assert running.digest().hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_beyond_the_first_counter() -> None:
    """The length is counted in bits, in two words; half a GiB fills the first one."""
    block = os.urandom(64 << 20)
    running, expected = midstate.new("sha256"), hashlib.sha256()
    for _ in range(8):
        running.update(block)
        expected.update(block)
    for more in (b"a", b"b" * 1000):
        running = gone_on_with(running, "sha256")
        running.update(more)
        expected.update(more)
    assert running.bytes_seen == 8 * len(block) + 1001
    assert running.digest() == expected.digest()


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ({}, 2),  # a tail of another length than the size leaves
        ({}, 1 << 63),  # more than the standard counts
        ({"tail": "6162"}, 3),
        ({"tail": 616263}, 3),
        ({"chain": "00"}, 3),
        ({"chain": None}, 3),
        ({"chain": "zz" * 32}, 3),
        ({"more": 1}, 3),
    ],
)
def test_a_state_that_is_none_changes_nothing(change: dict[str, object], size: int) -> None:
    running = midstate.new("sha256")
    running.update(b"abc")
    state = running.snapshot()
    with pytest.raises(ValueError, match=r"^(not|non|more)"):
        running.restore({**state, **change}, size)
    assert running.digest() == hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize("state", [None, [], "", {}, {"chain": "00" * 32}])
def test_what_is_no_state_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match="not an object"):
        midstate.new("sha256").restore(state, 0)


def test_other_threads_get_on_meanwhile() -> None:
    """The GIL is released while one long update runs."""
    running = midstate.new("sha256")
    data = bytes(256 << 20)
    steps: list[int] = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set() and len(steps) < 1_000_000:
            steps.append(1)

    thread = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    try:
        thread.start()
        before = len(steps)
        running.update(data)
        after = len(steps)
    finally:
        done.set()
        thread.join(30)
        sys.setswitchinterval(interval)
    assert after > before


@pytest.mark.parametrize("algorithm", ["blake2b", "crc32", "nothing"])
def test_what_is_not_available_is_refused(algorithm: str) -> None:
    assert not midstate.is_available(algorithm)
    with pytest.raises(ValueError, match="cannot be continued here"):
        midstate.new(algorithm)


class _Library:
    """A libcrypto that has the functions, and something else behind them."""

    def __init__(self, real: Any, wrong: str) -> None:
        self._real, self._wrong = real, wrong

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name.replace("SHA256", self._wrong))


@pytest.mark.parametrize("wrong", ["SHA224", "MD5", "NONE"])
def test_a_library_that_disagrees_with_hashlib_is_not_used(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda path: _Library(real(path), wrong))
    for cached in (midstate.is_available, midstate._bound):
        cached.cache_clear()
    try:
        assert not midstate.is_available("sha256")
    finally:
        for cached in (midstate.is_available, midstate._bound):
            cached.cache_clear()


@pytest.mark.parametrize(
    "without",
    [
        "sys.modules['_hashlib'] = None",  # Python built without OpenSSL
        "import _hashlib; del _hashlib.__file__",  # … or with it inside
        "import ctypes; ctypes.CDLL = lambda path: object()",  # OpenSSL built without these functions
    ],
)
def test_a_python_that_offers_no_such_library(without: str) -> None:
    program = (
        f"import sys; {without}\n"
        "from airflow_provider_batchdl.transfer import midstate\n"
        "from airflow_provider_batchdl.transfer.checksums import Digests\n"
        "digests = Digests(['sha256', 'crc32'], resumable=True); digests.update(b'abc')\n"
        "print(midstate.is_available('sha256'), digests.snapshot(), digests.digest('sha256').hex()[:8])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "None", "ba7816bf"]

"""Hashes that another process goes on with: the state between two blocks can be taken out and put back.

hashlib exports no state, and of the libraries that do, rehash reads structures that OpenSSL 3 no longer has, rehashes
(Rust; Linux only) holds the GIL and promises its format to one version of itself, and the C ones lack the processor's
SHA instructions. So this drives the functions behind hashlib itself, `SHA256_Init`, `_Update` and `_Final`, on the
context that `openssl/sha.h` declares to every C program, at hashlib's speed and without the GIL. Nothing is taken on
trust: an algorithm counts as available once it has agreed with hashlib, cut and continued across block borders.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from airflow_provider_batchdl.transfer.snapshots import exactly, raw

# What follows a context in memory, so that one larger than declared here harms nothing before it is found out.
_SLACK = 1024


@dataclass(frozen=True)
class _Layout:
    """The context of one algorithm in `openssl/sha.h` and `openssl/md5.h`."""

    prefix: str
    word: type[ctypes.c_uint32 | ctypes.c_uint64]
    words: int
    """Of the chaining value, which is also the digest."""

    @property
    def block(self) -> int:
        """Bytes hashed in one go."""
        return 16 * ctypes.sizeof(self.word)

    @property
    def size(self) -> int:
        """Bytes of the digest."""
        return self.words * ctypes.sizeof(self.word)


_LAYOUTS = {
    "md5": _Layout("MD5", ctypes.c_uint32, 4),
    "sha1": _Layout("SHA1", ctypes.c_uint32, 5),
    "sha256": _Layout("SHA256", ctypes.c_uint32, 8),
    "sha512": _Layout("SHA512", ctypes.c_uint64, 8),
}


@dataclass(frozen=True)
class _Functions:
    """One algorithm in the library that hashlib uses."""

    context: type[Any]
    init: Any
    update: Any
    final: Any


def new(algorithm: str) -> MidstateHash:
    """A hash of nothing yet, as `hashlib.new` makes it. Raises ValueError where it is not available here."""
    if not is_available(algorithm):
        raise ValueError(f"{algorithm} cannot be continued here")
    return MidstateHash(_LAYOUTS[algorithm], _bound(algorithm))


class MidstateHash:
    """A hash like hashlib's, whose state can be taken out. Made by `new`. Not thread-safe."""

    def __init__(self, layout: _Layout, functions: _Functions) -> None:
        self._layout = layout
        self._functions = functions
        self._context = functions.context()
        functions.init(ctypes.byref(self._context))

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes; the GIL is released meanwhile."""
        data = bytes(data)  # itself, where it is bytes
        self._functions.update(ctypes.byref(self._context), data, len(data))

    def digest(self) -> bytes:
        """The digest of all bytes so far."""
        ending = type(self._context).from_buffer_copy(self._context)
        digest = ctypes.create_string_buffer(self._layout.size)
        self._functions.final(digest, ctypes.byref(ending))
        return digest.raw

    @property
    def bytes_seen(self) -> int:
        """How many bytes there were so far."""
        low, high = self._context.bits
        return int(high << 8 * ctypes.sizeof(self._layout.word) | low) // 8

    def snapshot(self) -> dict[str, object]:
        """The state as JSON: the chaining value as FIPS 180-4 writes it (or RFC 1321), and the bytes after it."""
        width = ctypes.sizeof(self._layout.word)
        chain = b"".join(word.to_bytes(width, "big") for word in self._context.chain)
        return {"chain": chain.hex(), "tail": bytes(self._context.data)[: self._context.pending].hex()}

    def restore(self, state: object, size: int) -> None:
        """Take up a state.

        Args:
            state: what `snapshot` returned.
            size: how many bytes it is of.

        Raises:
            ValueError: it is none; nothing is changed then.
        """
        members = exactly(state, {"chain", "tail"})
        chain = raw(members["chain"], self._layout.size)
        left = size % self._layout.block
        tail = raw(members["tail"], left)
        width = ctypes.sizeof(self._layout.word)
        bits, ones = size * 8, (1 << 8 * width) - 1
        if bits >> 16 * width:
            raise ValueError("more bytes than this hash counts")
        words = [int.from_bytes(chain[at : at + width], "big") for at in range(0, len(chain), width)]
        self._context.chain[:] = words
        self._context.bits[:] = [bits & ones, bits >> 8 * width]
        self._context.data[: len(tail)] = list(tail)
        self._context.pending = len(tail)


@cache
def is_available(algorithm: str) -> bool:
    """Whether `algorithm` (a name of hashlib's) can be continued in this process."""
    try:
        # Where a policy forbids an algorithm (FIPS), some builds of OpenSSL end the process at its low-level call.
        hashlib.new(algorithm)
        return _agrees(algorithm, _bound(algorithm))
    except (ImportError, AttributeError, OSError, KeyError, ValueError):
        # Python without OpenSSL or with it inside (no library to ask), or OpenSSL without these functions.
        return False


@cache
def _bound(algorithm: str) -> _Functions:
    layout = _LAYOUTS[algorithm]
    # Looking a name up in hashlib's own extension module finds it in the libcrypto that this is linked with.
    library = ctypes.CDLL(import_module("_hashlib").__file__)
    functions = [getattr(library, f"{layout.prefix}_{name}") for name in ("Init", "Update", "Final")]
    init, update, final = functions
    init.argtypes = [ctypes.c_void_p]
    update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    fields = [
        ("chain", layout.word * layout.words),
        ("bits", layout.word * 2),
        ("data", ctypes.c_ubyte * layout.block),
        ("pending", ctypes.c_uint),
        ("rest", ctypes.c_ubyte * _SLACK),
    ]
    context = type(f"{layout.prefix}_CTX", (ctypes.Structure,), {"_fields_": fields})
    return _Functions(context, init, update, final)


def _agrees(algorithm: str, functions: _Functions) -> bool:
    """Whether all cuts of a text, in and between blocks, give what hashlib gives."""
    layout, block = _LAYOUTS[algorithm], _LAYOUTS[algorithm].block
    data = bytes(number * 7 % 251 for number in range(4 * block + 13))
    expected = hashlib.new(algorithm, data).digest()
    for cut in (0, 1, block - 9, block - 1, block, block + 1, 2 * block, 3 * block + 5, len(data)):
        first, second = (MidstateHash(layout, functions) for _ in range(2))
        first.update(data[:cut])
        second.update(data)  # nothing of what was there before may stay
        second.restore(first.snapshot(), cut)
        second.update(data[cut:])
        if first.bytes_seen != cut or second.bytes_seen != len(data) or second.digest() != expected:
            return False
    return True

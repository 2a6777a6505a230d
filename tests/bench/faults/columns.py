"""The faults, one per column: what the server, the disk or the store is made to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_batchdl.emulator import Fault

ALWAYS = 99
RETRY_AFTER = 1
SHIFT = 10_000


@dataclass(frozen=True)
class Strike:
    """Where a fault strikes.

    Attributes:
        at: body bytes of the answer before the harm.
        after: how many requests to the store come through unharmed first.
    """

    at: int
    after: int = 0


@dataclass(frozen=True)
class Column:
    """One fault.

    Attributes:
        key: short name, for `--only` and for reading the code.
        title: the column's head.
        says: what happens, for the legend.
        faults: what the emulator is ordered to do, for where it is to strike.
        declared: the source declares checksums with every answer.
        expire: the link goes stale once it has been used.
        scene: who redirects to what: the store's own ``link``, a ``new_file`` behind every request, or ``other_host``.
        disk: the destination's disk is too small.
        store: what the S3 server is made to do (which call, what status, how often); a column of the second table.
        divided: bytes come, so that several connections can have a share in it.
        undetectable: nothing that the server says tells the wrong file from the right one.
    """

    key: str
    title: str
    says: str
    faults: Callable[[Strike], list[Fault]] = lambda strike: []
    declared: bool = False
    expire: bool = False
    scene: str = "link"
    disk: bool = False
    store: tuple[str, int, int] | None = None
    divided: bool = True
    undetectable: bool = False


def _store(kind: str, strike: Strike, **more: object) -> Fault:
    return Fault.from_dict({"kind": kind, "operation": "store", "after": strike.after, **more})


def _cut(strike: Strike, times: int = 1) -> Fault:
    return _store("cut", strike, after_bytes=strike.at, times=times)


def _on_ranges(kind: str, **more: object) -> Fault:
    return Fault.from_dict({"kind": kind, "operation": "store", "times": ALWAYS, **more})


COLUMNS = (
    Column("drop", "drop", "the connection is cut, twice", lambda s: [_cut(s, 2)]),
    Column("no_range", "range ignored", "one cut; every `Range` request is answered with 200 and the whole file",
           lambda s: [_cut(s), _on_ranges("ignore_range")]),
    Column("wrong_range", "wrong range",
           f"one cut; every `Range` request is answered with a 206 that starts {SHIFT:,} bytes too early and says so",
           lambda s: [_cut(s), _on_ranges("wrong_range", range_shift=SHIFT)]),
    Column("changed", "changed file", "one cut; by the next request the file has other bytes and another ETag",
           lambda s: [_cut(s), _store("changed_file", s)]),
    Column("no_length", "no length", "no length is declared, and the body ends early, unseen, once",
           lambda s: [_store("no_length", s, after_bytes=s.at)]),
    Column("chunk_end", "early chunk end", "a chunked body ends early, without its last chunk, once",
           lambda s: [_store("chunked_eof", s, after_bytes=s.at)]),
    Column("retry_after", "503", f"two answers 503 with `Retry-After: {RETRY_AFTER}`",
           lambda s: [_store("status", s, status=503, retry_after=RETRY_AFTER, times=2)]),
    Column("expired", "expired link", "one cut, and the link has gone stale: 403 from then on",
           lambda s: [_cut(s)], expire=True),
    Column("new_file", "link makes a new file",
           "one cut, and the link has gone stale; a new link, which asking again at the same URL gives, leads to a "
           "file with other bytes and another ETag",
           lambda s: [_cut(s), Fault("changed_file", operation="download", after=1)], expire=True, scene="new_file"),
    Column("stall", "stall", "silence in mid-body, once",
           lambda s: [_store("stall", s, after_bytes=s.at, seconds=60.0)]),
    Column("drip", "slow drip", "200 bytes/s, once", lambda s: [_store("drip", s, bytes_per_second=200)]),
    Column("flip_declared", "bit flip, declared",
           "one bit is wrong, once; `Content-MD5`, `x-amz-checksum-sha256` and `X-Goog-Hash` declare the true checksum",
           lambda s: [_store("bitflip", s, after_bytes=s.at)], declared=True),
    Column("flip", "bit flip, undeclared", "one bit is wrong, once, and no checksum is declared",
           lambda s: [_store("bitflip", s, after_bytes=s.at)], undetectable=True),
    Column("redirect", "redirect",
           "the API, asked with a custom key header and `Authorization`, redirects to another host: which of the two "
           "does that host get to see? (`key`, `auth`; `held` is neither)", scene="other_host"),
    Column("disk", "full disk", "the destination's disk takes two thirds of the file", disk=True,
           divided=False),
    Column("part_once", "5xx on a part", "the first part asked for in a multipart upload is answered with 503, once",
           store=("part", 503, 1)),
    Column("part_always", "5xx on a part, lasting", "every part is answered with 503",
           store=("part", 503, 10_000)),
    Column("complete_once", "5xx on completion", "CompleteMultipartUpload is answered with 500, once",
           store=("complete", 500, 1)),
    Column("complete_always", "5xx on completion, lasting", "every CompleteMultipartUpload is answered with 500",
           store=("complete", 500, 10_000)),
)  # fmt: skip

UNDETECTABLE = frozenset(column.key for column in COLUMNS if column.undetectable)

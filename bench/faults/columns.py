"""The faults, one per column: what the server, the disk or the store is made to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from airflow_provider_batchdl.emulator import Fault
from airflow_provider_batchdl.emulator.faults import FaultKind

ALWAYS = 99
RETRY_AFTER = 1
SHIFT = 10_000
HURRY = 10.0
"""Seconds until a peer counts as hung where it is the answer's beginning that does not come."""


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
        scene: who redirects to what: the store's own ``link``, a ``new_file`` behind every request, ``other_host``, or
            a vendor that has ``announced`` the file's size.
        odd: the answer is not harmed but odd: a column of the table of odd answers.
        line_end: the fault strikes at the end of a line.
        changes: by the request after the one that is struck, the file has other bytes.
        packed: the store packs the file; the packed bytes are right, too.
        patience: seconds until a peer counts as hung; None for the usual.
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
    odd: bool = False
    line_end: bool = False
    changes: bool = False
    packed: bool = False
    patience: float | None = None


def _store(kind: FaultKind, strike: Strike, **more: Any) -> Fault:
    return Fault(kind, operation="store", after=strike.after, **more)


def _cut(strike: Strike, times: int = 1) -> Fault:
    return _store("cut", strike, after_bytes=strike.at, times=times)


def _on_ranges(kind: FaultKind, **more: Any) -> Fault:
    return Fault(kind, operation="store", times=ALWAYS, **more)


def _odd(headers: dict[str, str | None], **more: Any) -> Fault:
    """The real answer under another head, from the first request on unless ``more`` says otherwise."""
    return Fault("headers", operation="store", headers=headers, **{"times": ALWAYS, **more})


def _in_place(status: int, body: str, media: str, **more: Any) -> Fault:
    """Another answer in the file's place, each time."""
    given = {"times": ALWAYS, **more}
    return Fault("status", operation="store", status=status, body=body, content_type=media, **given)


def _same_second(strike: Strike) -> list[Fault]:
    now = formatdate(time.time(), usegmt=True)
    dated: dict[str, str | None] = {"etag": None, "last-modified": now, "date": now}
    return [_odd(dated, after_bytes=strike.at, times=1), _odd(dated, status=206), _odd(dated)]


HARMS = (
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
)  # fmt: skip

ODD = (
    Column("no_number", "length that is no number",
           "`Content-Length: unknown`, and the body ends early, once", odd=True,
           faults=lambda s: [_odd({"content-length": "unknown"}, after_bytes=s.at, after=s.after, times=1)]),
    Column("line_end", "cut at a line's end",
           "no length is declared, and the body ends early, exactly behind a line, once", odd=True, line_end=True,
           faults=lambda s: [_store("no_length", s, after_bytes=s.at)]),
    Column("short", "shorter than announced",
           "the vendor announces the file's size, and the store has a third of it, ending with a line, and declares "
           "the length of that", odd=True, line_end=True, scene="announced", divided=False,
           faults=lambda s: [_odd({"content-length": str(s.at)}, after_bytes=s.at)]),
    Column("gzip_chunked", "gzip, chunked", "`Transfer-Encoding: gzip, chunked` over chunks that are not packed",
           odd=True, divided=False, faults=lambda s: [_odd({"transfer-encoding": "gzip, chunked"}, chunked=True)]),
    Column("identity_chunked", "identity, chunked", "`Transfer-Encoding: identity, chunked`", odd=True, divided=False,
           faults=lambda s: [_odd({"transfer-encoding": "identity, chunked"}, chunked=True)]),
    Column("no_etag", "part without ETag",
           "one cut; by the next request the file has other bytes, and a server that does not know `If-Range` gives "
           "the rest of it in a 206 that names no version", odd=True, changes=True,
           faults=lambda s: [_cut(s), _odd({"etag": None, "last-modified": None}, status=206, after=s.after, times=1)]),
    Column("same_second", "changed within a second",
           "no ETag; one cut; by the next request the file has other bytes and the same `Last-Modified`, which is "
           "that of `Date`, too", odd=True, changes=True, divided=False, faults=_same_second),
    Column("not_ready", "202", f"always 202, with `Retry-After: {RETRY_AFTER}` and `{{\"status\": \"processing\"}}`",
           odd=True, divided=False,
           faults=lambda s: [_in_place(202, '{"status": "processing"}', "application/json", retry_after=RETRY_AFTER)]),
    Column("error_200", "error in a 200", "always 200 as `text/csv`, and the body is an error's JSON", odd=True,
           divided=False,
           faults=lambda s: [_in_place(200, '{"error": "The result could not be read."}', "text/csv")]),
    Column("page_200", "page in a 200", "always 200 as `text/csv`, and the body is a login page in HTML", odd=True,
           divided=False,
           faults=lambda s: [_in_place(200, "<!DOCTYPE html>\n<html>Please log in.</html>\n", "text/csv")]),
    Column("aws_chunked", "coding that is none", "whole bytes under `Content-Encoding: aws-chunked`", odd=True,
           faults=lambda s: [_odd({"content-encoding": "aws-chunked"})]),
    Column("false_gzip", "false gzip", "whole bytes, not packed, under `Content-Encoding: gzip`", odd=True,
           divided=False, faults=lambda s: [_odd({"content-encoding": "gzip"})]),
    Column("csv_gz", ".csv.gz under gzip",
           "a `.csv.gz`, packed once, that comes with `Content-Encoding: gzip`", odd=True, packed=True, divided=False,
           faults=lambda s: [Fault("coding", operation="store", times=ALWAYS,
                                   headers={"content-disposition": 'attachment; filename="result.csv.gz"'})]),
    Column("interim", "endless 100", "`100 Continue` again and again in the answer's place, for an hour, once",
           odd=True, patience=HURRY, faults=lambda s: [_store("interim", s, seconds=3600.0)]),
    Column("slow_head", "slow head", "the answer's head comes at 1 byte/s, once", odd=True, patience=HURRY,
           faults=lambda s: [_store("drip", s, before_headers=True, bytes_per_second=1)]),
)  # fmt: skip

STORE = (
    Column("part_once", "5xx on a part", "the first part asked for in a multipart upload is answered with 503, once",
           store=("part", 503, 1)),
    Column("part_always", "5xx on a part, lasting", "every part is answered with 503",
           store=("part", 503, 10_000)),
    Column("complete_once", "5xx on completion", "CompleteMultipartUpload is answered with 500, once",
           store=("complete", 500, 1)),
    Column("complete_always", "5xx on completion, lasting", "every CompleteMultipartUpload is answered with 500",
           store=("complete", 500, 10_000)),
)  # fmt: skip

COLUMNS = (*HARMS, *ODD, *STORE)
UNDETECTABLE = frozenset(column.key for column in COLUMNS if column.undetectable)

"""Whether the bytes that came are the whole file: declared checksums, length, framing, the content's own end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_batchdl.exceptions import ChecksumMismatchError, TruncatedDownloadError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.checksums import Digests, declared_checksums
from airflow_provider_batchdl.transfer.content import check_for
from airflow_provider_batchdl.transfer.decoding import is_coded
from airflow_provider_batchdl.transfer.snapshots import COUNT, exactly
from airflow_provider_batchdl.transfer.stream import ResultStream

log = get_logger(__name__)

VERSION = 1
"""Of the snapshots. Whatever changes what a member of one means, in a content check too, makes it another."""
LARGEST_SNAPSHOT = 64 << 10
"""Bytes of JSON. What is beyond (a record as long as that) is not worth a checkpoint."""
_MEMBERS = {"version", "bytes", "digests", "format", "content", "seal"}

# Formats that may stop after any line.
_OPEN_ENDED = frozenset({"csv", "jsonl"})


class Examination:
    """Sees all bytes of one file in their order, from its first.

    Args:
        headers: those of the response that began it.
        filename: what it will be called, for telling its format.
        sha256: whether to compute it; what ``headers`` declare is checked all the same.
        inspect: refuses a result that says of itself that it is none; gets the JSON object's scalar members.
        facts: vendor and job, for errors.
        resumable: whether snapshots of it are wanted.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        filename: str,
        *,
        sha256: bool,
        inspect: Callable[[Mapping[str, object]], None],
        facts: Mapping[str, Any],
        resumable: bool = False,
    ) -> None:
        self._declared, self._unchecked = declared_checksums(headers)
        if is_coded(headers.get("content-encoding", "")):
            # They are of the bytes on the wire; what is seen here has been decoded.
            self._unchecked = list(dict.fromkeys([*(each.header for each in self._declared), *self._unchecked]))
            self._declared = []
        self._with_sha256 = sha256
        algorithms = {*(["sha256"] if sha256 else []), *(each.algorithm for each in self._declared)}
        self._digests = Digests(algorithms, resumable=resumable)
        self._resumable = resumable
        self._content = check_for(headers.get("content-type"), filename)
        self._format = self._content.name
        self._examined = 0
        self._inspect = inspect
        self._facts = facts

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes. May raise what `verdict` raises, earlier."""
        self._examined += len(chunk)
        self._digests.update(chunk)
        self._content.feed(chunk)

    @property
    def examined(self) -> int:
        """How many bytes it has seen."""
        return self._examined

    def snapshot(self) -> dict[str, object] | None:
        """All that it knows of the bytes so far, as small JSON in ASCII, for another process to go on with.

        It can hold the beginning of a record, which may be a person's: keep it where the result itself may be kept.

        Returns:
            What `restore` takes; None where that is not possible: it was not made for it, something that runs gives
            no state out (decompression, a hash where the OpenSSL that Python uses lacks the functions), or the state
            is large.
        """
        digests = self._digests.snapshot() if self._resumable else None
        content = self._content.snapshot()
        if digests is None or content is None:
            return None
        members: dict[str, object] = {
            "version": VERSION,
            "bytes": self._examined,
            "digests": digests,
            "format": self._format,
            "content": content,
        }
        written = _written(members)
        return {**members, "seal": _seal(written)} if len(written) <= LARGEST_SNAPSHOT else None

    @classmethod
    def restore(
        cls,
        snapshot: object,
        headers: Mapping[str, str],
        filename: str,
        *,
        sha256: bool,
        inspect: Callable[[Mapping[str, object]], None],
        facts: Mapping[str, Any],
    ) -> Examination:
        """An examination that goes on where the `snapshot` of another one was taken: after its `examined` bytes.

        Args:
            snapshot: what came back from where it was kept.
            headers: what the other one was made with, and so for all that follow.
            filename: see there.
            sha256: see there.
            inspect: see there.
            facts: see there.

        Raises:
            ValueError: it is damaged, another version's, of another format or of other checksums, or this process
                cannot go on with it.
        """
        examination = cls(headers, filename, sha256=sha256, inspect=inspect, facts=facts, resumable=True)
        members = dict(exactly(snapshot, _MEMBERS))
        # A wrong number in it could not be told from a right one otherwise.
        if members.pop("seal") != _seal(_written(members)):
            raise ValueError("damaged")
        examination._go_on(members)
        return examination

    def _go_on(self, members: Mapping[str, Any]) -> None:
        if members["version"] != VERSION or members["format"] != self._format:
            raise ValueError("another version's, or of another format")
        self._examined = COUNT.load(members["bytes"])
        self._digests.restore(members["digests"], self._examined)
        self._content.restore(members["content"])

    @property
    def sha256(self) -> str | None:
        """Hex digest of all bytes so far; None where it was turned off."""
        return self._digests.digest("sha256").hex() if self._with_sha256 else None

    @property
    def rows(self) -> int | None:
        """Records counted, known after `verdict`; None where the format does not tell."""
        return self._content.rows

    def verdict(self, size: int, head: ResultStream) -> tuple[str, ...]:
        """What proves the bytes whole; ``nothing`` where nothing does.

        Args:
            size: how many bytes there are.
            head: the response that the file is identified by.

        Raises:
            TruncatedDownloadError: they are too few or too many, or the format does not end there.
            ChecksumMismatchError: they are others than declared.
            UnexpectedResponseError: they are not what they claim to be.
        """
        total = head.identity.total
        if size != self._examined:  # a snapshot of another place than where the sink went on
            raise TruncatedDownloadError(f"Of the {size} bytes written, {self._examined} were examined.", **self._facts)
        if total is not None and size != total and not is_coded(head.coding):
            raise TruncatedDownloadError(f"{size} bytes came of a file of {total}.", **self._facts)
        proofs = []
        for declared in self._declared:
            if self._digests.digest(declared.algorithm) != declared.expected:
                raise ChecksumMismatchError(f"The bytes are not those that {declared.header} declares.", **self._facts)
            proofs.append(declared.algorithm)
        for name in self._unchecked:
            log.warning("The checksum in %s cannot be checked here.", name)
        proofs += [head.framing] if head.framing else []
        proofs += self._judge_content(framed=bool(proofs), empty=size == 0)
        if not proofs:
            log.warning("Nothing about this file can be verified: no length, no checksum, no known format.")
        return tuple(proofs) or ("nothing",)

    def _judge_content(self, *, framed: bool, empty: bool) -> list[str]:
        """Whether the content ends where its format does.

        Text formats without an end of their own are judged leniently where a length or checksum has already proved
        the file to be what the vendor sent: then an empty file is an empty result, and an odd last line is theirs.
        """
        if framed and empty and self._content.name in _OPEN_ENDED:
            return []
        try:
            self._content.finish()
        except TruncatedDownloadError as error:
            if not framed or self._content.name not in _OPEN_ENDED:
                raise
            log.warning("All bytes came, but: %s", error.message)
            return []
        if not framed and self._content.evidence == "weak":
            raise TruncatedDownloadError(
                "The server declares no length, and the last line is not complete: the file may have been cut.",
                **self._facts,
            )
        self._inspect(getattr(self._content, "members", {}))
        return [self._content.name] if self._content.evidence != "none" else []


def _written(members: Mapping[str, object]) -> bytes:
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode("ascii")


def _seal(written: bytes) -> str:
    return hashlib.sha256(written, usedforsecurity=False).hexdigest()

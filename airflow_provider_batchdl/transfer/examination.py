"""Whether the bytes that arrived are the whole file: declared checksums, length, framing, else the content's own end.

Where the transport or a checksum proves the bytes, their content decides only whether a page or an error object is in
the result's place. Where nothing does, its own end must be there; what has none is read twice (`UnprovenError`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_batchdl.exceptions import ChecksumMismatchError, TruncatedDownloadError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.announced import compare_announced
from airflow_provider_batchdl.transfer.checksums import Digests, declared_checksums
from airflow_provider_batchdl.transfer.content import Content, Look
from airflow_provider_batchdl.transfer.decoding import is_coded
from airflow_provider_batchdl.transfer.snapshots import count, exactly
from airflow_provider_batchdl.transfer.stream import ResultStream

log = get_logger(__name__)

VERSION = 3
"""Of the snapshots. Whatever changes what a member of one means makes it another."""
_MEMBERS = {"version", "bytes", "digests", "content", "seal"}
READ_TWICE = "read-twice"


class UnprovenError(TruncatedDownloadError):
    """Nothing proves these bytes; a second reading that brings the same ones does."""


class Examination:
    """Sees all bytes of one file in their order, from its first.

    Args:
        headers: those of the response that began it.
        filename: what it will be called, for telling its format.
        sha256: whether to compute it; what ``headers`` declare is checked all the same.
        inspect: refuses a result that says of itself that it is none; gets the members of a JSON object.
        facts: vendor and job, for errors.
        expected: the format that the vendor says its files have.
        framed: whether the transport or the vendor says how many bytes there are.
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
        expected: str | None = None,
        framed: bool = False,
        resumable: bool = False,
    ) -> None:
        self._declared, self._unchecked = declared_checksums(headers)
        if is_coded(headers.get("content-encoding", "")):
            # They are of the bytes on the wire; what is seen here has been decoded.
            self._unchecked = list(dict.fromkeys([*(each.header for each in self._declared), *self._unchecked]))
            self._declared = []
        proven = framed or bool(self._declared)
        self._with_sha256 = sha256
        self._has_reading = sha256 or not proven  # a second one is compared by it
        algorithms = {*(["sha256"] if self._has_reading else []), *(each.algorithm for each in self._declared)}
        self._digests = Digests(algorithms, resumable=resumable)
        self._resumable = resumable
        self._content = Content(headers.get("content-type"), filename, proven=proven, expected=expected)
        self._look = Look()
        self._examined = 0
        self._inspect = inspect
        self._facts = facts

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            UnexpectedResponseError: the file is a page or a store's error message.
        """
        self._examined += len(chunk)
        self._digests.update(chunk)
        self._content.feed(chunk)

    @property
    def examined(self) -> int:
        """How many bytes it has seen."""
        return self._examined

    def snapshot(self) -> dict[str, object] | None:
        """What another process needs to resume, as small JSON in ASCII: the running digests and the rows counted.

        It can hold the beginning of a record, which may be a person's: store it where the result itself may be stored.

        Returns:
            What `restore` takes; None where that is not possible: it was not made for it, or a hash gives no state
            out (the OpenSSL that Python uses lacks the functions).
        """
        digests = self._digests.snapshot() if self._resumable else None
        if digests is None:
            return None
        content = self._content.snapshot()
        members = {"version": VERSION, "bytes": self._examined, "digests": digests, "content": content}
        return {**members, "seal": _seal(members)}

    @classmethod
    def restore(cls, snapshot: object, headers: Mapping[str, str], filename: str, **others: Any) -> Examination:
        """An examination that resumes where the `snapshot` of another one was taken: after its `examined` bytes.

        Args:
            snapshot: what was read back from where it was stored.
            headers: what the other one was made with, and so for all that follow.
            filename: see there.
            others: see there.

        Raises:
            ValueError: it is damaged, another version's or of other checksums, or this process cannot resume it.
        """
        examination = cls(headers, filename, **{**others, "resumable": True})
        members = dict(exactly(snapshot, _MEMBERS))
        # A wrong number in it could not be told from a right one otherwise.
        if members.pop("seal") != _seal(members):
            raise ValueError("damaged")
        if members["version"] != VERSION:
            raise ValueError("another version's")
        examination._examined = count(members["bytes"])
        examination._digests.restore(members["digests"], examination._examined)
        if examination._examined:
            examination._content.resume(members["content"])
        return examination

    @property
    def sha256(self) -> str | None:
        """Hex digest of all bytes so far; None where it was turned off."""
        return self.reading if self._with_sha256 else None

    @property
    def reading(self) -> str:
        """What two readings of a file that nothing proves are compared by."""
        return self._digests.digest("sha256").hex()

    @property
    def rows(self) -> int | None:
        """Records counted, known after `verdict`; None where the format does not tell."""
        return self._look.rows

    def verdict(self, size: int, head: ResultStream, announced: int | None = None) -> tuple[str, ...]:
        """What proves the bytes whole, and what the content adds; docs/downloads.md lists the words.

        Args:
            size: how many bytes there are.
            head: the response that the file is identified by.
            announced: how many the vendor announced.

        Raises:
            TruncatedDownloadError: they are too few or too many, or nothing proves them and the content is cut.
            UnprovenError: nothing proves them, and the content has no end of its own.
            ChecksumMismatchError: they are others than declared.
            UnexpectedResponseError: a page or an error is in the result's place.
        """
        total = head.identity.total
        if size != self._examined:  # a snapshot of another place than where the sink went on
            raise TruncatedDownloadError(f"Of the {size} bytes written, {self._examined} were examined.", **self._facts)
        if total is not None and size != total and not is_coded(head.coding):
            raise TruncatedDownloadError(f"{size} bytes came of a file of {total}.", **self._facts)
        self._look = self._content.finish()
        self._inspect(self._look.members)  # first: an error in the result's place has another size than the result
        proofs = []
        for declared in self._declared:
            if self._digests.digest(declared.algorithm) != declared.expected:
                raise ChecksumMismatchError(f"The bytes are not those that {declared.header} declares.", **self._facts)
            proofs.append(declared.algorithm)
        for name in self._unchecked:
            log.warning("The checksum in %s cannot be checked here.", name)
        proofs += [head.framing] if head.framing else []
        proofs += compare_announced(announced, size, head)
        words = (self._look.word,) if self._look.word else ()
        return (*proofs, *words) if self._is_proven(proofs) else words

    def _is_proven(self, proofs: list[str]) -> bool:
        """Whether something but the content proves the bytes; if not, its own end does."""
        look = self._look
        if proofs:
            if look.error is not None:
                log.warning("All bytes arrived, but: %s", look.error.message)
            return True
        if look.error is not None:
            raise look.error
        if look.end == "own":
            return False
        if look.end == "open" and self._has_reading:
            raise UnprovenError("Nothing proves that the file is whole, and its format has no end.", **self._facts)
        raise TruncatedDownloadError(
            "Nothing proves that the file is whole: no length, no checksum, no format with an end.", **self._facts
        )

    def proven_by_reading_again(self) -> tuple[str, ...]:
        """The words for a file that a second reading proved, after `verdict` raised `UnprovenError`."""
        return (READ_TWICE, *((self._look.word,) if self._look.word else ()))


def _seal(members: Mapping[str, object]) -> str:
    written = json.dumps(members, sort_keys=True, separators=(",", ":")).encode("ascii")
    return hashlib.sha256(written, usedforsecurity=False).hexdigest()

"""Checks that bytes are the whole file: by declared checksums, length or framing, else by the content's own end.

Where the transport or a checksum proves the bytes, their content decides only whether a page or an error object is in
the result's place. Where nothing does, its own end must be there; what has none is read twice (`UnprovenError`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Literal

from airflow_provider_batchdl._redaction.redactor import get_logger, remember_link
from airflow_provider_batchdl.exceptions import BatchDlError, ChecksumMismatchError, TruncatedDownloadError
from airflow_provider_batchdl.transfer.content import Content, ContentReport
from airflow_provider_batchdl.transfer.content.head import SMALL
from airflow_provider_batchdl.transfer.source.decoding import codings_of, decoded
from airflow_provider_batchdl.transfer.source.range_client import RangeClient
from airflow_provider_batchdl.transfer.source.retry_budget import RetryBudget
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.transfer.verify.checksums import OF_THE_WHOLE, Digests, declared_checksums

log = get_logger(__name__)


class UnprovenError(TruncatedDownloadError):
    """Bytes that only a second, equal reading can prove."""


class Verifier:
    """Checks one file, of which it sees all bytes in their order.

    Args:
        headers: those of the response that began it.
        filename: what it will be called, for telling its format.
        sha256: whether to compute it; what ``headers`` declare is checked all the same.
        inspect: refuses a result that says of itself that it is none; gets the members of a JSON object.
        expected: the format that the vendor says its files have.
        count_gzip_rows: whether a gzip file is unpacked for its rows, though something else proves it.
        framed: whether the transport or the vendor says how many bytes there are.
        resumed: what `checkpoint` returned in another process, which has seen the first `resumed_at` bytes. Then
            ``rows`` and ``sha256`` are None, and of the declared checksums only CRCs are checked: a hash cannot be
            continued from what is stored. ``ValueError`` where that would prove less than is asked for.
        resumed_at: see ``resumed``.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        filename: str,
        *,
        sha256: bool | Literal["required"],
        inspect: Callable[[Mapping[str, object]], None],
        expected: str | None = None,
        count_gzip_rows: bool = False,
        framed: bool = False,
        resumed: Mapping[str, int] | None = None,
        resumed_at: int = 0,
    ) -> None:
        declared, unchecked = declared_checksums(headers)
        if codings_of(headers.get("content-encoding", "")):
            self._declared = []  # They are of the bytes on the wire; what is seen here has been decoded.
        else:
            self._declared = [each for each in declared if resumed is None or each.algorithm in resumed]
        self._proven = framed or bool(self._declared)
        if resumed is not None:
            if sha256 == "required":
                raise ValueError('sha256="required", and another process read the first bytes')
            if declared and not self._declared:
                names = ", ".join(each.algorithm for each in declared)
                raise ValueError(f"the declared checksum ({names}) cannot be continued by another process")
        checked = {each.header for each in self._declared}
        others = (each.header for each in declared if each.header not in checked)
        self._unchecked = dict.fromkeys([*others, *unchecked])
        self._with_sha256 = bool(sha256) and resumed is None
        # A second reading is compared by it.
        self._has_reading = self._with_sha256 or not self._proven
        algorithms = [*(["sha256"] if self._has_reading else []), *(each.algorithm for each in self._declared)]
        self._digests = Digests(algorithms, resumed or {})
        self._content = Content(
            headers.get("content-type"),
            filename,
            proven=self._proven,
            expected=expected,
            count_gzip_rows=count_gzip_rows,
        )
        self.saw_start = not resumed_at
        """True where it has seen the file from its first byte."""
        self._report = ContentReport()
        self._examined = resumed_at
        if resumed_at:
            self._content.skip_start()
        self._inspect = inspect

    def resumed_by(self, headers: Mapping[str, str]) -> None:
        """Check what a response for the rest declares of the whole file, too, if it is computed already."""
        declared, _ = declared_checksums({name: headers[name] for name in OF_THE_WHOLE if name in headers})
        new = (each for each in declared if each not in self._declared)
        self._declared += [each for each in new if each.algorithm in self._digests]

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            UnexpectedResponseError: the file is a page or a store's error message.
        """
        self._examined += len(chunk)
        self._digests.update(chunk)
        self._content.feed(chunk)

    def checkpoint(self) -> dict[str, int] | None:
        """The CRCs so far of those that are declared of the file: all that another process needs to continue.

        Returns:
            ``resumed`` of the one that continues; None where that could not prove as much: only the content can prove
            the file, the declared checksums are hashes, or too few bytes arrived to be sure that they are no page.
        """
        crcs = self._digests.crcs
        if not self._proven or 0 < self._examined <= SMALL or (self._declared and not crcs):
            return None
        return dict(crcs)

    @property
    def sha256(self) -> str | None:
        """Hex digest of all bytes so far; None where it was turned off or another process saw the first bytes."""
        return self.reading if self._with_sha256 else None

    @property
    def reading(self) -> str:
        """Hex SHA-256 by which two readings of a file that nothing proves are compared."""
        return self._digests.digest("sha256").hex()

    @property
    def rows(self) -> int | None:
        """Records counted, known after `finish`; None where the format has none."""
        return self._report.rows

    def finish(self, size: int, head: ResultStream, announced: int | None = None) -> tuple[str, ...]:
        """Check that the bytes are whole; return the words for what proves it, which docs/downloads.md lists.

        Raises:
            TruncatedDownloadError: they are too few or too many, or nothing proves them and the content is cut.
            UnprovenError: nothing proves them, and the content has no end of its own.
            ChecksumMismatchError: they are others than declared.
            UnexpectedResponseError: a page or an error is in the result's place.
        """
        total = head.identity.total
        if size != self._examined:  # resumed at another byte than the sink
            raise TruncatedDownloadError(f"Checked {self._examined} of {size} bytes written.")
        if total is not None and size != total and not head.coding:
            raise TruncatedDownloadError(f"Received {size} bytes of a file of {total}.")
        self._report = self._content.finish()
        if self._report.members:
            remember_link(head.url)  # an error may repeat its signature
        self._inspect(self._report.members)  # first: an error in the result's place has another size than the result
        proofs = []
        for declared in self._declared:
            if self._digests.digest(declared.algorithm) != declared.expected:
                raise ChecksumMismatchError(f"The bytes are not those that {declared.header} declares.")
            proofs.append(declared.algorithm)
        for name in self._unchecked:
            log.warning("Cannot check the checksum in %s", name)
        proofs += [head.framing] if head.framing else []
        proofs += ["announced-size"] if self._is_as_announced(announced, size, head) else []
        self._require_proof(proofs)
        return (*proofs, *self._content_words)

    def _is_as_announced(self, announced: int | None, size: int, head: ResultStream) -> bool:
        """True where the size that the vendor announced proves the file."""
        if announced is None or announced in (size, head.head.framing.length if head.coding else None):
            return announced is not None
        sizes = f"Received {size} bytes of a file that the vendor announced with {announced}"
        # Of a file that is sent packed, nobody knows which of its sizes the vendor meant.
        if size < announced and not head.head.codings:
            raise TruncatedDownloadError(f"{sizes}.")
        log.warning("%s.", sizes)
        return False

    def _require_proof(self, proofs: list[str]) -> None:
        """Raise where nothing proves the bytes, neither these nor the content's own end."""
        report = self._report
        if report.error is not None:
            if not proofs:
                raise report.error
            log.warning("Verified by %s, but the content check failed: %s", ", ".join(proofs), report.error.message)
        if proofs or report.end == "own":
            return
        if report.end == "open" and self._has_reading:
            raise UnprovenError("Nothing proves that the file is whole, and its format has no end.")
        raise TruncatedDownloadError(
            "Nothing proves that the file is whole: no length, no checksum, no format with an end."
        )

    def read_again(
        self, seen: set[str], size: int, range_client: RangeClient, prepare: Callable[[ResultStream], None]
    ) -> tuple[str, ...]:
        """Prove so many bytes, after `finish` raised `UnprovenError`, by another reading with the same SHA-256.

        The file is read if none of those ``seen`` is equal, which are updated; ``prepare`` gets the response. Returns
        the words for what proves the file; raises `TruncatedDownloadError` where the other reading brought other bytes.
        """
        if self.reading not in seen:
            log.info("Nothing proves that the file is whole; reading it a second time, to compare.")
            seen |= {self.reading, second := _read(range_client, size, prepare)}
            if second != self.reading:
                raise TruncatedDownloadError("Nothing proves that the file is whole, and two readings of it differ.")
        return ("read-twice", *self._content_words)

    @property
    def _content_words(self) -> tuple[str, ...]:
        return (self._report.word,) if self._report.word else ()


def _read(range_client: RangeClient, most: int, prepare: Callable[[ResultStream], None]) -> str:
    """The SHA-256 of the file, in hex, nothing of which is written; of more than ``most`` bytes, some other value."""
    seen = 0

    def attempt() -> str:
        nonlocal seen
        seen, digest = 0, hashlib.sha256(usedforsecurity=False)
        stream = range_client.open()
        if stream is None:
            return digest.hexdigest()
        with closing(stream):
            prepare(stream)
            for chunk in decoded(stream, stream.coding):
                seen += len(chunk)
                digest.update(chunk)
                if seen > most:
                    break
        return digest.hexdigest()

    def log_retry(error: BatchDlError, wait: float) -> None:
        log.info(
            "The second reading was interrupted at byte %d (%s); restarting it in %.1f s", seen, error.message, wait
        )

    return RetryBudget(range_client.vendor).run(attempt, lambda: seen, log_retry)

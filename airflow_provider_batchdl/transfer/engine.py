"""One result file from its source into a sink: resumed where it broke, verified, and left for the caller to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from airflow_provider_batchdl.client.policy import backoff
from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import (
    ChecksumMismatchError,
    RateLimitedError,
    ResultExpiredError,
    ResultTooLargeError,
    TruncatedDownloadError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.checksums import Digests, declared_checksums
from airflow_provider_batchdl.transfer.content import ContentCheck, check_for
from airflow_provider_batchdl.transfer.decoding import decoded
from airflow_provider_batchdl.transfer.identity import Identity
from airflow_provider_batchdl.transfer.sinks import Sink
from airflow_provider_batchdl.transfer.stream import InterruptedTransferError, Opener, ResultStream, Source

log = get_logger(__name__)

# So many failures in a row without a new byte; any progress makes it whole again.
FAILURES_WITHOUT_PROGRESS = 5

# Formats that may stop after any line.
_OPEN_ENDED = frozenset({"csv", "jsonl"})

_TRY_AGAIN = (InterruptedTransferError, RateLimitedError, ResultExpiredError, VendorUnavailableError)


@dataclass(frozen=True)
class Received:
    """A file whose bytes are all in the sink and have been verified.

    Args:
        bytes: its size.
        sha256: hex digest.
        head: the response it was identified by.
        rows: records counted, where known.
        verified_by: what proved it whole; ``nothing`` where nothing could.
        resumed: how often the transfer broke and went on.
    """

    bytes: int
    sha256: str
    head: ResultStream
    rows: int | None
    verified_by: tuple[str, ...]
    resumed: int


@dataclass
class Transfer:
    """One file on its way.

    Args:
        source: where it comes from.
        sink_for: opens the sink once the first response has told the file's name and size.
        filename: what the file will be called, for telling its format.
        inspect: refuses a result that says of itself that it is none; gets the JSON object's scalar members.
        max_bytes: refuse anything larger, before it is read whole.
    """

    source: Source
    sink_for: Callable[[ResultStream], Sink]
    filename: Callable[[ResultStream], str]
    inspect: Callable[[Mapping[str, object]], None] = lambda members: None
    max_bytes: int | None = None
    _sink: Sink | None = field(default=None, init=False)
    _head: ResultStream | None = field(default=None, init=False)
    _resumed: int = field(default=0, init=False)

    def run(self) -> tuple[Sink, Received]:
        """Move the bytes.

        Returns:
            The sink, complete but not published, and what is in it. After an error the sink is discarded.

        Raises:
            BatchDlError: what went wrong, typed; nothing is left behind.
        """
        opener = Opener(self.source)
        try:
            self._move(opener)
            try:
                return self._finished()
            except (TruncatedDownloadError, ChecksumMismatchError) as error:
                log.warning("What came is not whole (%s); downloading once more, from zero.", error.message)
                self._head = None
                self._resumed += 1
                self._move(opener)
                return self._finished()
        except BaseException:
            if self._sink is not None:
                self._sink.discard()
            raise
        finally:
            opener.close()

    def _move(self, opener: Opener) -> None:
        failures, reached = 0, 0
        while True:
            try:
                stream = opener.open(self._written if self._head else 0, self._identity)
                if stream is not None:
                    self._take(stream)
                return
            except _TRY_AGAIN as error:
                failures = 0 if self._written > reached else failures
                reached = self._written
                failures += 1
                if failures >= FAILURES_WITHOUT_PROGRESS or (error.retry_after or 0.0) > LONGEST_WAIT:
                    raise
                wait = backoff(failures - 1, error.retry_after)
                log.info("The download broke at byte %d (%s); going on in %.1f s.", reached, error.message, wait)
                self._resumed += 1
                sleep(wait)

    @property
    def _written(self) -> int:
        return self._sink.written if self._sink else 0

    @property
    def _identity(self) -> Identity | None:
        # Decoded bytes have other offsets than those on the wire: such a file begins again.
        return self._head.identity if self._head and not self._head.coding else None

    def _take(self, stream: ResultStream) -> None:
        """Write what comes of ``stream``, from zero where it does not go on with what is there."""
        try:
            sink = self._prepared(stream)
            for chunk in decoded(stream, stream.coding):
                self._refuse_size(sink.written + len(chunk))
                sink.write(chunk)
                self._digests.update(chunk)
                if self._content:
                    self._content.feed(chunk)
        finally:
            stream.close()

    def _prepared(self, stream: ResultStream) -> Sink:
        """The sink, holding exactly the bytes that come before ``stream``."""
        if self._sink is not None and self._head is not None and stream.start == self._sink.written > 0:
            return self._sink
        self._refuse_size(stream.identity.total)
        if self._sink is None:
            self._sink = self.sink_for(stream)
        elif self._sink.written:
            log.info("The download begins again, from zero.")
            self._sink.restart()
        self._begin(stream)
        return self._sink

    def _begin(self, head: ResultStream) -> None:
        self._head = head
        self._declared, self._unchecked = ([], []) if head.coding else declared_checksums(head.headers)
        self._digests = Digests({"sha256", *(declared.algorithm for declared in self._declared)})
        self._content: ContentCheck | None = check_for(head.headers.get("content-type"), self.filename(head))

    def _refuse_size(self, size: int | None) -> None:
        if self.max_bytes is not None and size is not None and size > self.max_bytes:
            raise ResultTooLargeError(
                f"The result is larger than the {self.max_bytes:,} bytes allowed.", **self._facts()
            )

    def _finished(self) -> tuple[Sink, Received]:
        if self._sink is None or self._head is None:
            raise UnexpectedResponseError("The download brought no response.", **self._facts())
        verified_by = self._verify(self._sink.written, self._head)
        received = Received(
            bytes=self._sink.written,
            sha256=self._digests.digest("sha256").hex(),
            head=self._head,
            verified_by=verified_by,
            rows=self._content.rows if self._content else None,
            resumed=self._resumed,
        )
        return self._sink, received

    def _verify(self, size: int, head: ResultStream) -> tuple[str, ...]:
        """What proves the bytes whole. Raises where something proves that they are not."""
        total = head.identity.total
        if total is not None and size != total and not head.coding:
            raise TruncatedDownloadError(f"{size} bytes came of a file of {total}.", **self._facts())
        proofs = []
        for declared in self._declared:
            if self._digests.digest(declared.algorithm) != declared.expected:
                raise ChecksumMismatchError(
                    f"The bytes are not those that {declared.header} declares.", **self._facts()
                )
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
        if self._content is None or (framed and empty and self._content.name in _OPEN_ENDED):
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
                **self._facts(),
            )
        self.inspect(getattr(self._content, "members", {}))
        return [self._content.name]

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self.source.client.vendor.name, "job_id": self.source.request.job_id}

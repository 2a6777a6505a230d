"""One result file from its source into a sink: resumed where it broke, verified, and left for the caller to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from airflow_provider_batchdl.client.policy import backoff
from airflow_provider_batchdl.client.ratelimit import LONGEST_WAIT
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    RateLimitedError,
    ResultExpiredError,
    ResultTooLargeError,
    TruncatedDownloadError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.checksums import worth_noting
from airflow_provider_batchdl.transfer.decoding import decoded
from airflow_provider_batchdl.transfer.examination import Examination
from airflow_provider_batchdl.transfer.identity import Identity
from airflow_provider_batchdl.transfer.sinks import ResumableSink, Sink
from airflow_provider_batchdl.transfer.state import Mark
from airflow_provider_batchdl.transfer.stream import InterruptedTransferError, Opener, ResultStream, Source

log = get_logger(__name__)

# So many failures in a row without a new byte; any progress makes it whole again.
FAILURES_WITHOUT_PROGRESS = 5

_TRY_AGAIN = (InterruptedTransferError, RateLimitedError, ResultExpiredError, VendorUnavailableError)


def leave(sink: Sink, error: BaseException | None, *, adopted: bool = False) -> None:
    """End a sink that is not to be published.

    A failure leaves nothing. What a signal or a time-out stopped is left for the next try where that can go on with
    it, and so is what an earlier try left when the source was only out of reach.
    """
    stopped = error is not None and not isinstance(error, Exception)
    if isinstance(sink, ResumableSink) and (stopped or (adopted and isinstance(error, _TRY_AGAIN))):
        sink.park()
    else:
        sink.discard()


@dataclass(frozen=True)
class Received:
    """A file whose bytes are all in the sink and have been verified.

    Args:
        bytes: its size.
        sha256: hex digest; None where it was turned off.
        head: the response it was identified by.
        rows: records counted, where known.
        verified_by: what proved it whole; ``nothing`` where nothing could.
        resumed: how often the transfer broke and went on.
    """

    bytes: int
    sha256: str | None
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
        sha256: whether to compute it; what the source declares is checked all the same.
        kept: what an earlier try left of this file; it is gone on with where the source still has the same file.
    """

    source: Source
    sink_for: Callable[[ResultStream], Sink]
    filename: Callable[[ResultStream], str]
    inspect: Callable[[Mapping[str, object]], None] = lambda members: None
    max_bytes: int | None = None
    sha256: bool = True
    kept: ResumableSink | None = None
    _sink: Sink | None = field(default=None, init=False)
    _mark: Mark | None = field(default=None, init=False)
    _head: ResultStream | None = field(default=None, init=False)
    _resumed: int = field(default=0, init=False)
    _examination: Examination = field(init=False)

    def run(self) -> tuple[Sink, Received]:
        """Move the bytes.

        Returns:
            The sink, complete but not published, and what is in it. After an error the sink is ended, see `leave`.

        Raises:
            BatchDlError: what went wrong, typed; nothing is left behind, but perhaps what an earlier try had left.
        """
        opener = Opener(self.source)
        try:
            self._adopt()
            self._move(opener)
            try:
                return self._finished()
            except (TruncatedDownloadError, ChecksumMismatchError) as error:
                log.warning("What came is not whole (%s); downloading once more, from zero.", error.message)
                self._head = None
                self._resumed += 1
                self._move(opener)
                return self._finished()
        except BaseException as error:
            if self._sink is not None:
                leave(self._sink, error, adopted=self._sink is self.kept)
            raise

    def _move(self, opener: Opener) -> None:
        failures, reached = 0, 0
        while True:
            try:
                stream = self._open(opener)
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

    def _adopt(self) -> None:
        """Take over what an earlier try left, as if its bytes had come just now."""
        if self.kept is None or self.kept.mark is None:
            return
        self._sink, self._mark = self.kept, self.kept.mark
        try:
            self._examination = self._expecting(self._mark.headers, self._mark.filename)
            for piece in self.kept.replay():
                self._examination.feed(piece)
        except BatchDlError as error:
            log.info("What an earlier try left is of no use (%s); beginning again, from zero.", error.message)
            self._drop_kept()

    def _drop_kept(self) -> None:
        if self.kept is not None:
            self.kept.discard()
        self._sink, self._mark = None, None

    def _open(self, opener: Opener) -> ResultStream | None:
        stream = opener.open(self._written if self._head or self._mark else 0, self._identity)
        if self._mark is None:
            return stream
        if (
            stream is not None
            and stream.start == self._written
            and not stream.coding
            and self.filename(stream) == self._mark.filename
        ):
            log.info("The download goes on at byte %d, where an earlier try was stopped.", self._written)
            self._head, self._mark = stream, None
            self._resumed += 1
            return stream
        log.info(
            "An earlier try left %d bytes, but the source has another file now or does not serve the rest alone; "
            "beginning again, from zero.",
            self._written,
        )
        self._drop_kept()
        if stream is None or not stream.start:
            return stream
        stream.close()
        return opener.open()

    @property
    def _written(self) -> int:
        return self._sink.written if self._sink else 0

    @property
    def _identity(self) -> Identity | None:
        if self._mark is not None:
            return Identity(self._mark.validator, self._mark.total)
        # Decoded bytes have other offsets than those on the wire: such a file begins again.
        return self._head.identity if self._head and not self._head.coding else None

    def _take(self, stream: ResultStream) -> None:
        """Write what comes of ``stream``, from zero where it does not go on with what is there."""
        try:
            sink = self._prepared(stream)
            for chunk in decoded(stream, stream.coding):
                self._refuse_size(sink.written + len(chunk))
                sink.write(chunk)
                self._examination.feed(chunk)
        finally:
            stream.close()

    def _prepared(self, stream: ResultStream) -> Sink:
        """The sink, holding exactly the bytes that come before ``stream``."""
        if self._sink is not None and self._head is not None and stream.start == self._sink.written > 0:
            return self._sink
        self._refuse_size(stream.identity.total)
        if self._sink is None:
            self._sink = self.sink_for(stream)
        else:
            if self._sink.written:
                log.info("The download begins again, from zero.")
            # Also where nothing came: what is noted beside it may be of another version.
            self._sink.restart()
        self._begin(stream)
        return self._sink

    def _begin(self, head: ResultStream) -> None:
        self._head = head
        filename = self.filename(head)
        identity = head.identity
        self._examination = self._expecting(head.headers, filename)
        if identity.etag and identity.total and not head.coding and isinstance(self._sink, ResumableSink):
            self._sink.remember(Mark(identity.etag, identity.total, filename, worth_noting(head.headers)))

    def _expecting(self, headers: Mapping[str, str], filename: str) -> Examination:
        return Examination(headers, filename, sha256=self.sha256, inspect=self.inspect, facts=self._facts())

    def _refuse_size(self, size: int | None) -> None:
        if self.max_bytes is not None and size is not None and size > self.max_bytes:
            raise ResultTooLargeError(
                f"The result is larger than the {self.max_bytes:,} bytes allowed.", **self._facts()
            )

    def _finished(self) -> tuple[Sink, Received]:
        if self._sink is None or self._head is None:
            raise UnexpectedResponseError("The download brought no response.", **self._facts())
        verified_by = self._examination.verdict(self._sink.written, self._head)
        received = Received(
            bytes=self._sink.written,
            sha256=self._examination.sha256,
            head=self._head,
            verified_by=verified_by,
            rows=self._examination.rows,
            resumed=self._resumed,
        )
        return self._sink, received

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self.source.client.vendor.name, "job_id": self.source.request.job_id}

"""One result file from its source into a sink: resumed where it broke, verified, and left for the caller to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import sleep
from typing import Any

from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    ResultTooLargeError,
    TruncatedDownloadError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.budget import TRY_AGAIN, RetryBudget
from airflow_provider_batchdl.transfer.checkpoints import examination_of, keep
from airflow_provider_batchdl.transfer.checksums import worth_noting
from airflow_provider_batchdl.transfer.decoding import decoded, is_stored_coded
from airflow_provider_batchdl.transfer.ending import leave
from airflow_provider_batchdl.transfer.examination import Examination, UnprovenError
from airflow_provider_batchdl.transfer.identity import Identity
from airflow_provider_batchdl.transfer.opener import Opener, RangeRefusedError, Source
from airflow_provider_batchdl.transfer.parallel.division import Tally, fetch_in_parts, here, worth_dividing
from airflow_provider_batchdl.transfer.parallel.growth import Meter
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines
from airflow_provider_batchdl.transfer.rereading import Readings
from airflow_provider_batchdl.transfer.sinks import DurableSink, Sink
from airflow_provider_batchdl.transfer.state import Mark
from airflow_provider_batchdl.transfer.stream import InterruptedTransferError, ResultStream, why_from_zero

log = get_logger(__name__)


@dataclass(frozen=True)
class Received:
    """A file whose bytes are all in the sink and have been verified.

    Args:
        bytes: its size.
        sha256: hex digest; None where it was turned off.
        head: the response it was identified by.
        rows: records counted, where known.
        verified_by: what proved it whole, and what its content adds.
        tally: how often the transfer broke, and how many connections it had.
    """

    bytes: int
    sha256: str | None
    head: ResultStream
    rows: int | None
    verified_by: tuple[str, ...]
    tally: Tally


@dataclass
class Transfer:
    """One file on its way.

    Args:
        source: where it comes from.
        sink_for: opens the sink once the first response has told the file's name and size.
        filename: what the file will be called, for telling its format.
        inspect: refuses a result that says of itself that it is none; gets the members of a JSON object.
        announced: the size in bytes that the vendor announced, where it did.
        expected: the format that the vendor says its files have, see `Vendor.expected_format`.
        max_bytes: refuse anything larger, before it is read whole.
        sha256: whether to compute it; what the source declares is checked all the same.
        kept: what an earlier try left of this file; it is gone on with where the source still has the same file.
        connections: the most that a large file is fetched by, where a single one is slower than we are.
        progress: is told how far it is.
    """

    source: Source
    sink_for: Callable[[ResultStream], Sink]
    filename: Callable[[ResultStream], str]
    inspect: Callable[[Mapping[str, object]], None] = lambda members: None
    announced: int | None = None
    expected: str | None = None
    max_bytes: int | None = None
    sha256: bool = True
    kept: DurableSink | None = None
    connections: int = 1
    progress: Progress = field(default_factory=ProgressLines)
    _sink: Sink | None = field(default=None, init=False)
    _mark: Mark | None = field(default=None, init=False)
    _head: ResultStream | None = field(default=None, init=False)
    _begun: ResultStream | None = field(default=None, init=False)
    _tally: Tally = field(default_factory=Tally, init=False)
    _examination: Examination = field(init=False)
    _readings: Readings = field(default_factory=Readings, init=False)

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
            try:
                return self._received(opener)
            except (TruncatedDownloadError, ChecksumMismatchError) as error:
                log.warning("Download incomplete or corrupt (%s); restarting from byte 0.", error.message)
                self._head = None
                self._tally.restarted += 1
                return self._received(opener)
        except BaseException as error:
            if self._sink is not None:
                leave(self._sink, error, adopted=self._sink is self.kept)
            raise

    def _received(self, opener: Opener) -> tuple[Sink, Received]:
        """The verified file. What nothing proves is read a second time, and two equal readings prove it."""
        try:
            return self._moved(opener)
        except UnprovenError:
            self._readings.prove(self._examination.reading, self._written, opener)
            return self._finished(self._examination.proven_by_reading_again())

    def _moved(self, opener: Opener) -> tuple[Sink, Received]:
        """The file, in however many answers it comes."""
        budget = RetryBudget(self.source.client.vendor.name)
        while True:
            try:
                stream = self._open(opener)
                if stream is not None:
                    self._take(opener, stream)
                return self._finished()
            except TRY_AGAIN as error:
                wait = budget.pause(error, self._written)
                log.info("The download broke at byte %d (%s); going on in %.1f s.", self._written, error.message, wait)
                self._tally.resumed += 1
                sleep(wait)

    def _adopt(self) -> None:
        """Take over what an earlier try left, as if its bytes had come just now."""
        if self.kept is None or self.kept.mark is None:
            return
        self._sink, self._mark = self.kept, self.kept.mark
        try:
            arguments = self._expected(self._mark.headers, self._mark.filename, framed=True)
            self._examination = examination_of(self.kept, arguments)
        except (BatchDlError, ValueError) as error:
            log.info("What an earlier try left is of no use (%s); beginning again, from zero.", error)
            self._tally.restarted += 1
            self._drop_kept()

    def _drop_kept(self) -> None:
        if self.kept is not None:
            self.kept.discard()
        self._sink, self._mark = None, None

    def _open(self, opener: Opener) -> ResultStream | None:
        stream = opener.open(self._written if self._head or self._mark else 0, self._identity)
        if stream is not None and is_stored_coded(self.filename(stream), stream.head.codings):
            stream.keep_coding()
        if self._mark is None:
            return stream
        goes_on = stream is not None and stream.start == self._written and not stream.coding
        if stream is not None and goes_on and self.filename(stream) == self._mark.filename:
            log.info("The download goes on at byte %d, where an earlier try was stopped.", self._written)
            self._head, self._mark = stream, None
            self._tally.resumed += 1
            return stream
        why = "the source has another file now or does not serve the rest alone"
        log.info("An earlier try left %d bytes, but %s; beginning again, from zero.", self._written, why)
        self._tally.restarted += 1
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
            return Identity(self._mark.validator, self._mark.total, self._mark.headers.get("last-modified"))
        # Decoded bytes have other offsets than those on the wire: such a file begins again.
        return self._head.identity if self._head and not self._head.coding else None

    def _take(self, opener: Opener, stream: ResultStream) -> None:
        """Write what comes of ``stream``, from zero where it does not go on with what is there."""
        try:
            sink = self._prepared(stream)
            meter = Meter()
            self.progress.begin(self.filename(stream), here(sink), None if stream.coding else stream.identity.total)
            if getattr(sink, "landed", ()):
                return self._divide(opener, stream, sink, meter)
            chunks = decoded(stream, stream.coding)
            # Of a small file the measuring would be a good part of the work.
            for chunk in meter.timed(chunks) if self._divisible(stream) else chunks:
                self._keep(sink, chunk)
                if meter.source_bound and self._divisible(stream, meter.rate):
                    return self._divide(opener, stream, sink, meter)
            if self._head is not None and self._head is not stream:
                self._head.ended_with(stream)
        finally:
            stream.close()

    def _keep(self, sink: Sink, chunk: bytes) -> None:
        self._refuse_size(sink.written + len(chunk))
        keep(sink, self._examination, chunk)
        self.progress.at(sink.written)

    def _divisible(self, stream: ResultStream, rate: float = 0.0) -> bool:
        left = (stream.identity.total or 0) - self._written
        return self.connections > 1 and worth_dividing(stream, left, rate)

    def _divide(self, opener: Opener, stream: ResultStream, sink: Sink, meter: Meter) -> None:
        """Fetch what is missing by several connections."""
        try:
            fetch_in_parts(
                opener,
                stream,
                sink,
                connections=self.connections,
                rate=meter.rate,
                examine=self._examination.feed,
                keep=partial(self._keep, sink),
                tally=self._tally,
                progress=self.progress,
            )
        except RangeRefusedError as error:
            self.connections = 1
            raise InterruptedTransferError(error.message) from None

    def _prepared(self, stream: ResultStream) -> Sink:
        """The sink, holding exactly the bytes that come before ``stream``."""
        if self._sink is not None and self._head is not None and stream.start == self._sink.written > 0:
            return self._sink
        self._refuse_size(stream.identity.total)
        if self._sink is None:
            self._sink = self.sink_for(stream)
        else:
            if self._sink.written and self._head is not None:  # else it has been told and counted
                log.info("The download begins again, from zero: %s.", why_from_zero(self._head, stream))
                self._tally.restarted += 1
            # Also where nothing came: what is noted beside it may be of another version.
            self._sink.restart()
        self._begin(stream)
        return self._sink

    def _begin(self, head: ResultStream) -> None:
        before, self._head = self._begun, head
        filename = self.filename(head)
        identity = head.identity
        same = before is not None and identity.etag is not None and before.identity == identity
        self._begun = before if same and before else head
        # What was declared of this file once holds, also where another answer for it is silent.
        if (
            isinstance(self._sink, DurableSink)
            and identity.etag
            and identity.total
            and not head.coding
            and self._sink.is_worth_keeping(identity.total)
        ):
            noted = worth_noting(head.headers)
            if identity.modified:
                noted["last-modified"] = identity.modified
            self._sink.remember(Mark(identity.etag, identity.total, filename, noted))
        resumable = getattr(self._sink, "next_checkpoint", None) is not None
        arguments = self._expected(self._begun.headers, filename, framed=head.framing is not None)
        self._examination = Examination(**arguments, resumable=resumable)

    def _expected(self, headers: Mapping[str, str], filename: str, *, framed: bool) -> dict[str, Any]:
        """The arguments of the file's examination."""
        about = {"sha256": self.sha256, "inspect": self.inspect, "facts": self._facts(), "expected": self.expected}
        return {"headers": headers, "filename": filename, "framed": framed, **about}

    def _refuse_size(self, size: int | None) -> None:
        if self.max_bytes is not None and size is not None and size > self.max_bytes:
            raise ResultTooLargeError(
                f"The result is larger than the {self.max_bytes:,} bytes allowed.", **self._facts()
            )

    def _finished(self, verified_by: tuple[str, ...] = ()) -> tuple[Sink, Received]:
        if self._sink is None or self._head is None:
            raise UnexpectedResponseError("The download brought no response.", **self._facts())
        size, head, found = self._sink.written, self._head, self._examination
        verified_by = verified_by or found.verdict(size, head, self.announced)
        return self._sink, Received(size, found.sha256, head, found.rows, verified_by, self._tally)

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self.source.client.vendor.name, "job_id": self.source.request.job_id}

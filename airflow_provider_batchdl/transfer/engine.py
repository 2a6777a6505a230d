"""Transfer one result file from its source into a sink: resume, verify, and leave publishing to the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    ResultTooLargeError,
    TruncatedDownloadError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.transfer.checkpoints import restored_verifier, write_and_verify
from airflow_provider_batchdl.transfer.ending import close_unpublished
from airflow_provider_batchdl.transfer.parallel.division import (
    TransferStats,
    bytes_present,
    fetch_in_parts,
    worth_dividing,
)
from airflow_provider_batchdl.transfer.parallel.scaling import Meter
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.sinks.base import DurableSink, Sink
from airflow_provider_batchdl.transfer.source.decoding import decoded, is_stored_coded
from airflow_provider_batchdl.transfer.source.identity import Identity
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, RangeRefusedError, Source
from airflow_provider_batchdl.transfer.source.retry_budget import RetryBudget
from airflow_provider_batchdl.transfer.source.stream import InterruptedTransferError, ResultStream, why_restarted
from airflow_provider_batchdl.transfer.state import PartialRecord
from airflow_provider_batchdl.transfer.verify.checksums import worth_noting
from airflow_provider_batchdl.transfer.verify.rereading import Readings
from airflow_provider_batchdl.transfer.verify.verifier import UnprovenError, Verifier

log = get_logger(__name__)


@dataclass
class Transfer:
    """The transfer of one file.

    Args:
        source: the file, and the client of its vendor.
        sink_for: opens the sink, given the first response and the file's name.
        filename: the file's name by a response, which shows its format.
        inspect: raises for an error object in place of a result; gets the members of a JSON object.
        announced: the size in bytes that the vendor announced; None for unknown.
        expected: the format that the vendor says its files have, see `Vendor.expected_format`.
        max_bytes: refuse a larger file, before it is read to its end.
        sha256: whether to compute it; a checksum that the source declares is always verified. "required" resumes no
            partial of which it would be None.
        count_gzip_rows: whether to unpack a gzip file to count its rows.
        resumable: the partial of an earlier try; resumed where the source still has the same file.
        connections: the most to use for a large file whose source is the bottleneck.
        progress: gets the number of bytes so far.
        note: what a next try that resumes the partial has to know of a response's headers; without, it restarts.
    """

    source: Source
    sink_for: Callable[[ResultStream, str], Sink]
    filename: Callable[[ResultStream], str]
    inspect: Callable[[Mapping[str, object]], None] = lambda members: None
    announced: int | None = None
    expected: str | None = None
    max_bytes: int | None = None
    sha256: bool | Literal["required"] = True
    count_gzip_rows: bool = False
    resumable: DurableSink | None = None
    connections: int = 1
    progress: Progress = field(default_factory=ProgressLines)
    note: Callable[[Mapping[str, str]], dict[str, str]] = lambda headers: {}
    _sink: Sink | None = field(default=None, init=False)
    _partial_record: PartialRecord | None = field(default=None, init=False)
    _head: ResultStream | None = field(default=None, init=False)
    _first: ResultStream | None = field(default=None, init=False)
    _stats: TransferStats = field(default_factory=TransferStats, init=False)
    _verifier: Verifier = field(init=False)
    _readings: Readings = field(default_factory=Readings, init=False)

    def run(self) -> tuple[Sink, Received]:
        """Transfer the bytes.

        Returns:
            The sink, complete but not published, and what is in it. On an error it is closed by `close_unpublished`.

        Raises:
            BatchDlError: what went wrong, typed; nothing is left, except a partial that can still be resumed.
        """
        range_client = RangeClient(self.source)
        try:
            self._adopt()
            try:
                return self._verified(range_client)
            except (TruncatedDownloadError, ChecksumMismatchError) as error:
                log.warning("Download incomplete or corrupt (%s); restarting from byte 0", error.message)
                self._head = None
                self._stats.restarted += 1
                return self._verified(range_client)
        except BaseException as error:
            if self._sink is not None:
                close_unpublished(self._sink, error, adopted=self._sink is self.resumable)
            raise

    def _verified(self, range_client: RangeClient) -> tuple[Sink, Received]:
        """Return the verified file. One without any proof is read twice: equal readings prove it."""
        try:
            return self._transferred(range_client)
        except UnprovenError:
            self._readings.prove(self._verifier.reading, self._written, range_client, self._as_stored)
            return self._finished(self._verifier.proven_by_reading_again())

    def _transferred(self, range_client: RangeClient) -> tuple[Sink, Received]:
        """Transfer the file, with as many requests as it takes."""

        def attempt() -> tuple[Sink, Received]:
            stream = self._open(range_client)
            if stream is not None:
                self._take(range_client, stream)
            elif self._head is not None:
                self._head.ended_at(self._written)
            return self._finished()

        def log_retry(error: BatchDlError, wait: float) -> None:
            log.info("Download interrupted at byte %d (%s); resuming in %.1f s", self._written, error.message, wait)
            self._stats.resumed += 1

        return RetryBudget(self.source.client.vendor.name).run(attempt, lambda: self._written, log_retry)

    def _adopt(self) -> None:
        """Adopt the partial of an earlier try as if this one had written it."""
        if self.resumable is None or self.resumable.partial_record is None:
            return
        self._sink, self._partial_record = self.resumable, self.resumable.partial_record
        try:
            if not self.note({}).keys() <= self._partial_record.headers.keys():
                raise ValueError("it lacks what is to be known of the response")
            arguments = self._expected(self._partial_record.headers, self._partial_record.filename, framed=True)
            self._verifier = restored_verifier(self.resumable, arguments)
        except (BatchDlError, ValueError) as error:
            self._drop_resumable(error)

    def _drop_resumable(self, why: object) -> None:
        log.info("Cannot resume the previous try's partial file (%s); restarting from byte 0", why)
        self._stats.restarted += 1
        if self.resumable is not None:
            self.resumable.discard()
        self._sink, self._partial_record = None, None

    def _open(self, range_client: RangeClient) -> ResultStream | None:
        stream = range_client.open(self._written if self._head or self._partial_record else 0, self._identity)
        if stream is not None:
            self._as_stored(stream)
        if self._partial_record is None:
            return stream
        resumes = stream is not None and stream.start == self._written and not stream.coding
        if stream is not None and resumes and self.filename(stream) == self._partial_record.filename:
            log.info("Resuming the previous try's download at byte %d", self._written)
            if not self._verifier.saw_start:
                log.info("No sha256 and no rows of this file: another process read its first %d bytes", self._written)
            stream.headers |= {name: self._partial_record.headers[name] for name in self.note({})}
            self._head, self._partial_record = stream, None
            self._stats.resumed += 1
            return stream
        self._drop_resumable("the file at the source has changed, or it ignored the range request")
        if stream is None or not stream.start:
            return stream
        stream.close()
        return range_client.open()

    def _as_stored(self, stream: ResultStream) -> None:
        """Keep the coding that the stored file itself is of, by its name."""
        if is_stored_coded(self.filename(stream), stream.head.codings):
            stream.keep_coding()

    @property
    def _written(self) -> int:
        return self._sink.written if self._sink else 0

    @property
    def _identity(self) -> Identity | None:
        record = self._partial_record
        if record is not None:
            return Identity(record.validator, record.total, record.headers.get("last-modified"))
        # Decoded bytes have other offsets than those on the wire: such a file is restarted.
        return self._head.identity if self._head and not self._head.coding else None

    def _take(self, range_client: RangeClient, stream: ResultStream) -> None:
        """Write the bytes of ``stream``, after a restart where it does not continue the sink's bytes."""
        try:
            sink = self._prepared(stream)
            meter = Meter()
            self.progress.begin(
                self.filename(stream), bytes_present(sink), None if stream.coding else stream.identity.total
            )
            if getattr(sink, "landed", ()):
                return self._divide(range_client, stream, sink, meter)
            chunks = decoded(stream, stream.coding)
            # Measuring would be a good part of the work for a small file.
            for chunk in meter.timed(chunks) if self._divisible(stream) else chunks:
                self._write(sink, chunk)
                if meter.source_bound and self._divisible(stream, meter.rate):
                    return self._divide(range_client, stream, sink, meter)
            self._refuse_early_end(stream)
            if self._head is not None and self._head is not stream:
                self._head.ended_with(stream)
        finally:
            stream.close()

    def _refuse_early_end(self, stream: ResultStream) -> None:
        """Refuse the end of a 206 before that of its range: without a length of its own, nothing else shows the cut."""
        total = stream.identity.total
        if stream.status == 206 and total is not None and not stream.coding and self._written < total:
            raise InterruptedTransferError(f"A range response ended {total - self._written} bytes early.")

    def _write(self, sink: Sink, chunk: bytes) -> None:
        self._refuse_size(sink.written + len(chunk))
        write_and_verify(sink, self._verifier, chunk)
        self.progress.at(sink.written)

    def _divisible(self, stream: ResultStream, rate: float = 0.0) -> bool:
        left = (stream.identity.total or 0) - self._written
        return self.connections > 1 and worth_dividing(stream, left, rate)

    def _divide(self, range_client: RangeClient, stream: ResultStream, sink: Sink, meter: Meter) -> None:
        """Fetch the missing bytes over several connections."""
        try:
            fetch_in_parts(
                range_client,
                stream,
                sink,
                connections=self.connections,
                rate=meter.rate,
                verify=self._verifier.feed,
                write=partial(self._write, sink),
                stats=self._stats,
                progress=self.progress,
            )
        except RangeRefusedError as error:
            self.connections = 1
            raise InterruptedTransferError(error.message) from None

    def _prepared(self, stream: ResultStream) -> Sink:
        """Return the sink, with exactly the bytes before ``stream``."""
        if self._sink is not None and self._head is not None and stream.start == self._sink.written > 0:
            return self._sink
        self._refuse_size(stream.identity.total)
        if self._sink is None:
            self._sink = self.sink_for(stream, self.filename(stream))
        else:
            if self._sink.written and self._head is not None:  # else it has been logged and counted
                log.info("Download cannot be resumed (%s); restarting from byte 0", why_restarted(self._head, stream))
                self._stats.restarted += 1
            # Also without a byte: the partial record may be of another version.
            self._sink.restart()
        self._begin(stream)
        return self._sink

    def _begin(self, head: ResultStream) -> None:
        before, self._head = self._first, head
        filename = self.filename(head)
        identity = head.identity
        self._first = before if before and identity.etag is not None and before.identity == identity else head
        # A checksum declared once for this version holds, even where another response for it lacks it.
        sink, etag, total = self._sink, identity.etag, identity.total
        if isinstance(sink, DurableSink) and etag and total and not head.coding and sink.is_worth_resuming(total):
            noted = worth_noting(head.headers) | self.note(head.headers)
            if identity.modified:
                noted["last-modified"] = identity.modified
            sink.remember(PartialRecord(etag, total, filename, noted))
        headers = head.headers | self._first.headers
        self._verifier = Verifier(**self._expected(headers, filename, framed=head.framing is not None))

    def _expected(self, headers: Mapping[str, str], filename: str, *, framed: bool) -> dict[str, Any]:
        """The arguments of the file's `Verifier`."""
        about = {"headers": headers, "filename": filename, "framed": framed, "expected": self.expected}
        about |= {"sha256": self.sha256, "count_gzip_rows": self.count_gzip_rows, "inspect": self.inspect}
        return {**about, "facts": self._facts()}

    def _refuse_size(self, size: int | None) -> None:
        if self.max_bytes is not None and size is not None and size > self.max_bytes:
            raise ResultTooLargeError(
                f"The result is larger than the {self.max_bytes:,} bytes allowed.", **self._facts()
            )

    def _finished(self, verified_by: tuple[str, ...] = ()) -> tuple[Sink, Received]:
        if self._sink is None or self._head is None:
            raise UnexpectedResponseError("The download got no response.", **self._facts())
        sink, head, found = self._sink, self._head, self._verifier
        verified_by = verified_by or found.finish(sink.written, head, self.announced)
        name = self.filename(head)
        return sink, Received(name, sink.written, found.sha256, head, found.rows, verified_by, self._stats)

    def _facts(self) -> dict[str, Any]:
        return {"vendor": self.source.client.vendor.name, "job_id": self.source.job.id}

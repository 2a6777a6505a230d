"""Transfer one result file from its source into a sink: resume, verify, and leave publishing to the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from airflow_provider_batchdl._redaction.redactor import get_logger
from airflow_provider_batchdl.exceptions import (
    BatchDlError,
    ChecksumMismatchError,
    ResultTooLargeError,
    TruncatedDownloadError,
    UnexpectedResponseError,
)
from airflow_provider_batchdl.jobs import RESULT
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.pages import noted_page
from airflow_provider_batchdl.transfer.parallel import MAX_CONNECTIONS
from airflow_provider_batchdl.transfer.parallel.division import bytes_present, fetch_in_parts, worth_dividing
from airflow_provider_batchdl.transfer.parallel.fetch import TransferStats
from airflow_provider_batchdl.transfer.parallel.scaling import Meter
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines
from airflow_provider_batchdl.transfer.result import Received, close_unpublished
from airflow_provider_batchdl.transfer.sinks.base import CheckpointedSink, DurableSink, Sink
from airflow_provider_batchdl.transfer.sinks.local.sink import LocalSink
from airflow_provider_batchdl.transfer.source.decoding import decoded, is_stored_coded
from airflow_provider_batchdl.transfer.source.filenames import naming
from airflow_provider_batchdl.transfer.source.head import Identity
from airflow_provider_batchdl.transfer.source.range_client import RangeClient, RangeRefusedError, Source
from airflow_provider_batchdl.transfer.source.retry_budget import RetryBudget
from airflow_provider_batchdl.transfer.source.stream import InterruptedTransferError, ResultStream, why_restarted
from airflow_provider_batchdl.transfer.state import PartialRecord
from airflow_provider_batchdl.transfer.verify.checksums import worth_noting
from airflow_provider_batchdl.transfer.verify.verifier import UnprovenError, Verifier

log = get_logger(__name__)


@dataclass
class Transfer:
    """The transfer of one file."""

    source: Source
    options: DownloadOptions
    sink_for: Callable[[ResultStream, str], Sink]  # gets the first response and the file's name
    max_bytes: int | None = None  # a larger file is refused, before it is read to its end
    resumable: DurableSink | None = None  # of an earlier try; resumed where the source still has the same file
    progress: Progress = field(default_factory=ProgressLines)

    def __post_init__(self) -> None:
        self._vendor = self.source.client.vendor
        self._filename = naming(self._vendor, self.source.job, self.source.file)
        self._connections = self.options.max_connections or MAX_CONNECTIONS
        self._range_client = RangeClient(self.source)
        self._new_verifier = partial(
            Verifier,
            sha256=self.options.sha256,
            inspect=self._inspect,
            expected=self._vendor.expected_format(self.source.job, self.source.file),
            count_gzip_rows=self.options.count_gzip_rows,
        )
        self._sink: Sink | None = None
        self._partial_record: PartialRecord | None = None
        self._head: ResultStream | None = None
        self._first: ResultStream | None = None
        self._verifier: Verifier
        self._stats = TransferStats()
        self._readings: set[str] = set()

    def run(self) -> Received:
        """Transfer the bytes.

        Returns:
            The file, complete and not published. On an error its sink is closed by `close_unpublished`.

        Raises:
            BatchDlError: what went wrong, typed; nothing is left, except a partial that can still be resumed.
        """
        try:
            self._adopt()
            try:
                return self._verified()
            except (TruncatedDownloadError, ChecksumMismatchError) as error:
                log.warning("Download incomplete or corrupt (%s); restarting from byte 0", error.message)
                self._head = None
                self._stats.restarted += 1
                return self._verified()
        except BaseException as error:
            if self._sink is not None:
                close_unpublished(self._sink, error, adopted=self._sink is self.resumable)
            raise

    def _verified(self) -> Received:
        """Return the verified file. One without any proof is read twice: equal readings prove it."""
        try:
            return self._transferred()
        except UnprovenError:
            proofs = self._verifier.read_again(self._readings, self._written, self._range_client, self._as_stored)
            return self._finished(proofs)

    def _transferred(self) -> Received:
        """Transfer the file, with as many requests as it takes."""

        def attempt() -> Received:
            stream = self._open()
            if stream is not None:
                self._take(stream)
            elif self._head is not None:
                self._head.ended_at(self._written)
            return self._finished()

        def log_retry(error: BatchDlError, wait: float) -> None:
            log.info("Download interrupted at byte %d (%s); resuming in %.1f s", self._written, error.message, wait)
            self._stats.resumed += 1

        return RetryBudget(self._vendor.name).run(attempt, lambda: self._written, log_retry)

    def _adopt(self) -> None:
        """Adopt the partial of an earlier try as if this one had written it."""
        sink = self.resumable
        record = sink.partial_record if sink else None
        if sink is None or record is None:
            return
        self._sink, self._partial_record = sink, record
        try:
            if not noted_page(self.source, {}).keys() <= record.headers.keys():
                raise ValueError("it lacks what is to be known of the response")
            # Bytes that can be read back are verified again; of others, the sink stores the CRCs at each checkpoint.
            crcs, at = (sink.crcs, sink.written) if isinstance(sink, CheckpointedSink) else (None, 0)
            self._verifier = self._new_verifier(
                record.headers, record.filename, framed=True, resumed=crcs, resumed_at=at
            )
            for piece in sink.replay() if isinstance(sink, LocalSink) else ():
                self._verifier.feed(piece)
        except (BatchDlError, ValueError) as error:
            self._drop_resumable(error)

    def _drop_resumable(self, why: object) -> None:
        log.info("Cannot resume the previous try's partial file (%s); restarting from byte 0", why)
        self._stats.restarted += 1
        if self.resumable is not None:
            self.resumable.discard()
        self._sink, self._partial_record = None, None

    def _open(self) -> ResultStream | None:
        stream = self._range_client.open(self._written if self._head or self._partial_record else 0, self._identity)
        if stream is not None:
            self._as_stored(stream)
        if self._partial_record is None:
            return stream
        resumes = stream is not None and stream.start == self._written and not stream.coding
        if stream is not None and resumes and self._filename(stream) == self._partial_record.filename:
            log.info("Resuming the previous try's download at byte %d", self._written)
            if not self._verifier.saw_start:
                log.info("No sha256 and no rows of this file: another process read its first %d bytes", self._written)
            stream.headers |= {name: self._partial_record.headers[name] for name in noted_page(self.source, {})}
            self._head, self._partial_record = stream, None
            self._stats.resumed += 1
            return stream
        self._drop_resumable("the file at the source has changed, or it ignored the range request")
        if stream is None or not stream.start:
            return stream
        stream.close()
        return self._range_client.open()

    def _as_stored(self, stream: ResultStream) -> None:
        """Keep the coding that the stored file itself is of, by its name."""
        if is_stored_coded(self._filename(stream), stream.head.codings):
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

    def _take(self, stream: ResultStream) -> None:
        """Write the bytes of ``stream``, after a restart where it does not continue the sink's bytes."""
        try:
            sink = self._prepared(stream)
            meter = Meter()
            self.progress.begin(
                self._filename(stream), bytes_present(sink), None if stream.coding else stream.identity.total
            )
            if getattr(sink, "landed", ()):
                return self._divide(stream, sink, meter)
            chunks = decoded(stream, stream.coding)
            # Measuring would be a good part of the work for a small file.
            for chunk in meter.timed(chunks) if self._divisible(stream) else chunks:
                self._write(sink, chunk)
                if meter.source_bound and self._divisible(stream, meter.rate):
                    return self._divide(stream, sink, meter)
            total = stream.identity.total
            # Without a length of its own, nothing else shows that a range was cut.
            if stream.status == 206 and total is not None and not stream.coding and self._written < total:
                raise InterruptedTransferError(f"A range response ended {total - self._written} bytes early.")
            if self._head is not None and self._head is not stream:
                self._head.ended_with(stream)
        finally:
            stream.close()

    def _write(self, sink: Sink, chunk: bytes) -> None:
        self._refuse_size(sink.written + len(chunk))
        # Not `isinstance`: that would check every member of the protocol, for every chunk.
        while (due := getattr(sink, "next_checkpoint", None)) is not None and sink.written + len(chunk) >= due:
            before, chunk = chunk[: due - sink.written], chunk[due - sink.written :]
            sink.write(before)
            self._verifier.feed(before)
            sink.checkpoint(self._verifier.checkpoint())  # type: ignore[attr-defined]
        if chunk:
            sink.write(chunk)
            self._verifier.feed(chunk)
        self.progress.at(sink.written)

    def _divisible(self, stream: ResultStream, rate: float = 0.0) -> bool:
        left = (stream.identity.total or 0) - self._written
        return self._connections > 1 and worth_dividing(stream, left, rate)

    def _divide(self, stream: ResultStream, sink: Sink, meter: Meter) -> None:
        """Fetch the missing bytes over several connections."""
        try:
            fetch_in_parts(
                self._range_client,
                stream,
                sink,
                connections=self._connections,
                rate=meter.rate,
                verify=self._verifier.feed,
                write=lambda chunk: self._write(sink, chunk),
                stats=self._stats,
                progress=self.progress,
            )
        except RangeRefusedError as error:
            self._connections = 1
            raise InterruptedTransferError(error.message) from None

    def _prepared(self, stream: ResultStream) -> Sink:
        """Return the sink, with exactly the bytes before ``stream``."""
        if self._sink is not None and self._head is not None and stream.start == self._sink.written > 0:
            self._verifier.resumed_by(stream.headers)
            return self._sink
        self._refuse_size(stream.identity.total)
        if self._sink is None:
            self._sink = self.sink_for(stream, self._filename(stream))
        else:
            if self._sink.written and self._head is not None:  # else it has been logged and counted
                log.info("Download cannot be resumed (%s); restarting from byte 0", why_restarted(self._head, stream))
                self._stats.restarted += 1
            # Also without a byte: the partial record may be of another version.
            self._sink.restart()
        filename, identity, before = self._filename(stream), stream.identity, self._first
        # A checksum declared once for this version holds, even where another response for it lacks it.
        first = before if before and identity.etag is not None and before.identity == identity else stream
        sink, etag, total = self._sink, identity.etag, identity.total
        self._head, self._first = stream, first
        if isinstance(sink, DurableSink) and etag and total and not stream.coding and sink.is_worth_resuming(total):
            noted = worth_noting(stream.headers) | noted_page(self.source, stream.headers)
            if identity.modified:
                noted["last-modified"] = identity.modified
            sink.remember(PartialRecord(etag, total, filename, noted))
        headers = stream.headers | first.headers
        self._verifier = self._new_verifier(headers, filename, framed=stream.framing is not None)
        return sink

    def _inspect(self, members: Mapping[str, object]) -> None:
        if members and self.source.file.kind == RESULT:  # the errors of single records are no error in its place
            self._vendor.check_result(self.source.job.id, members)

    def _refuse_size(self, size: int | None) -> None:
        if self.max_bytes is not None and size is not None and size > self.max_bytes:
            raise ResultTooLargeError(f"The result is larger than the {self.max_bytes:,} bytes allowed.")

    def _finished(self, verified_by: tuple[str, ...] = ()) -> Received:
        if self._sink is None or self._head is None:
            raise UnexpectedResponseError("The download got no response.")
        found, head, file = self._verifier, self._head, self.source.file
        proofs = verified_by or found.finish(self._sink.written, head, file.size)
        return Received(self._sink, file, self._filename(head), head, found.sha256, found.rows, proofs, self._stats)

"""Receive one result file: into a given sink, or into the one of a destination, where a killed try may be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError
from airflow_provider_batchdl.jobs import RESULT, Job, LandedFile, ResultFile
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.engine import Transfer
from airflow_provider_batchdl.transfer.overwrite import refuse_existing
from airflow_provider_batchdl.transfer.pages import noted_page
from airflow_provider_batchdl.transfer.parallel import MAX_CONNECTIONS
from airflow_provider_batchdl.transfer.progress import Progress, ProgressLines
from airflow_provider_batchdl.transfer.received import Received
from airflow_provider_batchdl.transfer.result import landed_file
from airflow_provider_batchdl.transfer.sinks.base import DurableSink, Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_resumable, open_sink
from airflow_provider_batchdl.transfer.source.filenames import folded, naming
from airflow_provider_batchdl.transfer.source.range_client import Source
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.transfer.state import StateStore, partial_key


def receive(
    client: BatchClient,
    job: Job,
    file: ResultFile,
    sink_for: Callable[[ResultStream, str], Sink],
    options: DownloadOptions,
    *,
    max_bytes: int | None = None,
    resumable: DurableSink | None = None,
    progress: Callable[[], Progress] = ProgressLines,
) -> tuple[Sink, Received]:
    """Transfer one file into a sink, which is complete then, and not published."""
    vendor = client.vendor

    def inspect(members: Mapping[str, object]) -> None:
        if members and file.kind == RESULT:  # the errors of single records are no error in the result's place
            vendor.check_result(job.id, members)

    return Transfer(
        Source(client, job, file),
        sink_for,
        filename=naming(vendor, job, file),
        inspect=inspect,
        announced=file.size,
        expected=vendor.expected_format(job, file),
        max_bytes=max_bytes,
        sha256=options.sha256,
        count_gzip_rows=options.count_gzip_rows,
        connections=options.max_connections or MAX_CONNECTIONS,
        resumable=resumable,
        progress=progress(),
        note=lambda headers: noted_page(vendor, job, file, headers),
    ).run()


@dataclass(frozen=True)
class Receiver:
    """Receives the files of one job's result into a destination."""

    client: BatchClient
    job: Job
    destination: Destination
    options: DownloadOptions
    state: StateStore | None
    progress: Callable[[], Progress]
    _taken: set[str] = field(default_factory=set)

    def receive(self, file: ResultFile) -> tuple[Sink, Received, LandedFile]:
        """Transfer one file into its sink, or resume what a killed try left of it."""
        sink, received = self.transfer(
            file, lambda head, name: self.open(file, name, head.identity.total), self.resumable(file)
        )
        return sink, received, self.landed(file, sink, received)

    def transfer(
        self, file: ResultFile, open_for: Callable[[ResultStream, str], Sink], resumable: DurableSink | None
    ) -> tuple[Sink, Received]:
        """Transfer one file into the sink of ``open_for``, or resume what a killed try left of it; see `receive`."""
        return receive(self.client, self.job, file, open_for, self.options, resumable=resumable, progress=self.progress)

    def landed(self, file: ResultFile, sink: Sink, received: Received) -> LandedFile:
        """The record of a file that has been received."""
        self._taken.add(folded(sink.uri))
        return landed_file(file, sink, received)

    def open(self, file: ResultFile, name: str, size: int | None) -> Sink:
        """Open the sink of a file called ``name``, of so many bytes; None for unknown."""
        place = self._place(file, name)
        if self.create_only:
            refuse_existing(place)  # in a folder, its name is only known now
        how: dict[str, Any] = {"key": self._key(file), "create_only": self.create_only, "state": self.state}
        return open_sink(place.fs, place.path, place.uri, expected_bytes=size, **how)

    @property
    def create_only(self) -> bool:
        """True if nothing may be replaced."""
        return self.options.if_exists == "error"

    def _key(self, file: ResultFile) -> str:
        vendor = self.client.vendor
        kind = () if file.kind == RESULT else (file.kind,)
        return partial_key(vendor.name, vendor.account.base_url, self.job.id, file.part, *kind)

    def _place(self, file: ResultFile, name: str) -> Destination:
        """The object for ``file``, which no other file of this result is at.

        Raises:
            DestinationError: the vendor's names of two files lead to one object, which only happens in a folder.
        """
        place = self.destination.part(file.part, name, file.kind)
        if folded(place.uri) in self._taken:
            raise DestinationError(
                f"Two files of the result would land at {place.uri}.",
                remedy="Set a destination that names the object, and does not end in /.",
                retryable=False,
            )
        return place

    def resumable(self, file: ResultFile) -> DurableSink | None:
        """The partial of ``file`` that a killed try left."""
        destination, create_only, key = self.destination, self.create_only, self._key(file)
        place = destination if destination.is_folder else destination.part(file.part, "", file.kind)
        resumable = open_resumable(place.fs, place.path, place.uri, key, create_only=create_only, state=self.state)
        if resumable is None or resumable.partial_record is None:
            return None
        goal = destination.part(file.part, resumable.partial_record.filename, file.kind)
        if resumable.uri != goal.uri:  # started under a name that the user gave; now it is the vendor's
            resumable.discard()
            return None
        if create_only:
            try:
                refuse_existing(goal)
            except BatchDlError:
                resumable.discard()
                raise
        return resumable

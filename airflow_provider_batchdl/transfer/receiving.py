"""Receive the files of a result into their destination, each with its pages; resume what a killed try left of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from airflow_provider_batchdl.client import BatchClient
from airflow_provider_batchdl.exceptions import BatchDlError, DestinationError, TransferError
from airflow_provider_batchdl.jobs import RESULT, Job, ResultFile
from airflow_provider_batchdl.options import DownloadOptions
from airflow_provider_batchdl.transfer.destination import Destination
from airflow_provider_batchdl.transfer.engine import Transfer
from airflow_provider_batchdl.transfer.joining import PageJoin
from airflow_provider_batchdl.transfer.pages import PageChain, page_after
from airflow_provider_batchdl.transfer.probe import refuse_existing
from airflow_provider_batchdl.transfer.progress import Progress
from airflow_provider_batchdl.transfer.result import Received, closed_on_error
from airflow_provider_batchdl.transfer.sinks.base import DurableSink, Sink
from airflow_provider_batchdl.transfer.sinks.factory import open_resumable, open_sink
from airflow_provider_batchdl.transfer.sinks.spool import SpoolSink
from airflow_provider_batchdl.transfer.source.filenames import folded
from airflow_provider_batchdl.transfer.source.range_client import Source
from airflow_provider_batchdl.transfer.source.stream import ResultStream
from airflow_provider_batchdl.transfer.state import StateStore, partial_key

SinkFor = Callable[[ResultStream, str], Sink]


@dataclass(frozen=True)
class Receiver:
    """Receives the files of one job's result into a destination.

    ``taken`` has the names of those that are complete, as `folded` compares them.
    """

    client: BatchClient
    job: Job
    destination: Destination
    options: DownloadOptions
    state: StateStore | None
    progress: Callable[[], Progress]
    taken: set[str] = field(default_factory=set)

    @property
    def create_only(self) -> bool:
        """True if nothing may be replaced."""
        return self.options.if_exists == "error"

    def all(self, files: tuple[ResultFile, ...]) -> Iterator[Received]:
        """Receive all files of a result, each with its pages: as one file, or each as a part."""
        if self.client.vendor.has_pages and not self.options.join_pages:
            yield from self._in_parts(files)
            return
        receive = self._joined if self.client.vendor.has_pages else self._whole
        for file in files:
            yield receive(file)

    def _whole(self, file: ResultFile) -> Received:
        return self._transfer(file, partial(self._open, file), self._resumable(file))

    def _transfer(self, file: ResultFile, sink_for: SinkFor, resumable: DurableSink | None) -> Received:
        return Transfer(self._source(file), self.options, sink_for, resumable=resumable, progress=self.progress()).run()

    def _in_parts(self, files: tuple[ResultFile, ...]) -> Iterator[Received]:
        """Receive each page as a part; a single page of a single file has no number."""
        listed, numbers = Counter(file.kind for file in files), Counter[str]()
        for first in files:
            chain = PageChain(self._source(first))
            page: ResultFile | None = first
            while page is not None:
                numbers[page.kind] += 1
                number = numbers[page.kind]
                if number == 1 and listed[page.kind] == 1:
                    received = self._first_part(page)
                else:
                    received = self._whole(replace(page, part=number))
                yield received
                page = chain.after(received.head.headers)

    def _first_part(self, file: ResultFile) -> Received:
        """Receive the first page; it is part 1 if its response names another page."""
        numbered = replace(file, part=1)
        resumable = self._resumable(numbered)
        has_more = resumable is not None
        alone, paged = partial(self._open, file), partial(self._open, numbered)
        received, has_more = self._first(file, alone, paged, resumable or self._resumable(file), has_more=has_more)
        return replace(received, file=numbered if has_more else file)

    def _joined(self, file: ResultFile) -> Received:
        """Receive a file and the pages after it as one file; a file without further pages goes straight to its sink."""
        alone = partial(self._open, file)
        received, has_more = self._first(file, alone, lambda *_: SpoolSink(), self._resumable(file))
        if not has_more:
            return replace(received, pages=1)
        with closed_on_error(received.sink):
            sink = self._open(file, None, received.filename)
        return PageJoin(self._source(file), self.options, sink, self.progress()).run(received)

    def _first(
        self,
        file: ResultFile,
        alone: SinkFor,
        paged: SinkFor,
        resumable: DurableSink | None,
        *,
        has_more: bool = False,
    ) -> tuple[Received, bool]:
        """Receive the first page into the sink of ``alone``, or of ``paged`` if another page follows.

        Returns the page, and whether another follows; ``has_more`` says so of ``resumable``.
        """
        source = self._source(file)

        def sink_for(head: ResultStream, name: str) -> Sink:
            nonlocal has_more
            has_more = page_after(source, head.headers) is not None
            return (paged if has_more else alone)(head, name)

        received = self._transfer(file, sink_for, resumable)
        with closed_on_error(received.sink):
            if (page_after(source, received.head.headers) is not None) is not has_more:
                raise TransferError("The pages of the result have changed during the download.")
        return received, has_more

    def _source(self, file: ResultFile) -> Source:
        return Source(self.client, self.job, file)

    def _open(self, file: ResultFile, head: ResultStream | None, name: str) -> Sink:
        place = self.destination.part(file.part, name, file.kind)
        if folded(place.uri) in self.taken:  # which only happens in a folder
            raise DestinationError(
                f"Two files of the result would land at {place.uri}.",
                remedy="Set a destination that names the object, and does not end in /.",
                retryable=False,
            )
        if self.create_only:
            refuse_existing(place)  # in a folder, its name is only known now
        return open_sink(
            place.fs,
            place.path,
            place.uri,
            expected_bytes=head.identity.total if head else None,
            key=self._key(file),
            create_only=self.create_only,
            state=self.state,
        )

    def _key(self, file: ResultFile) -> str:
        vendor = self.client.vendor
        kind = () if file.kind == RESULT else (file.kind,)
        return partial_key(vendor.name, vendor.account.base_url, self.job.id, file.part, *kind)

    def _resumable(self, file: ResultFile) -> DurableSink | None:
        """The partial of ``file`` that a killed try left."""
        destination, create_only = self.destination, self.create_only
        place = destination if destination.is_folder else destination.part(file.part, "", file.kind)
        resumable = open_resumable(
            place.fs, place.path, place.uri, self._key(file), create_only=create_only, state=self.state
        )
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

"""What the content says of itself when it arrives in pieces."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.content import Content, ContentReport
from airflow_provider_batchdl.transfer.content.base import ContentCheck


def cut_at(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` cut at the running sums of `sizes`, the rest as the last chunk."""
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    return [*chunks, data[at:]]


def in_steps(data: bytes, step: int) -> list[bytes]:
    """`data` in chunks of one size."""
    return [data[at : at + step] for at in range(0, len(data), step)]


def some(cuts: range) -> range:
    """All of them, or of many about fifty at the same distance."""
    return cuts[:: 1 + len(cuts) // 50]


def report_of(check: ContentCheck | Content, chunks: Iterable[bytes]) -> ContentReport:
    """What a check says of all chunks."""
    for chunk in chunks:
        check.feed(chunk)
    return check.finish()


def report_on(
    name: str | None, data: bytes, *, proven: bool, step: int | None = None, media: str | None = None
) -> ContentReport:
    """What is said of a whole file of that name."""
    return report_of(Content(media, name, proven=proven), in_steps(data, step or max(1, len(data))))


def judged(name: str, data: bytes, *, step: int | None = None) -> str:
    """What becomes of a file that nothing proves: `own`, `read-twice`, or the class of its error."""
    try:
        found = report_on(name, data, proven=False, step=step)
    except BatchDlError as error:
        return type(error).__name__
    if found.error is not None:
        return type(found.error).__name__
    return {"own": "own", "open": "read-twice", "none": "refused"}[found.end]

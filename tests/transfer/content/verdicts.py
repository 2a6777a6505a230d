"""What a check says of content that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.content import ContentCheck, check_for
from airflow_provider_batchdl.transfer.content.base import HEAD

Verdict = tuple[str, str, int | None, object]


def cut_at(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` cut at the running sums of `sizes`, the rest as the last chunk."""
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    return [*chunks, data[at:]]


def chunked(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Text cut likewise, behind blank lines: the first bytes are held together, only later ones come as they are."""
    return [b"\n" * HEAD, *cut_at(data, sizes)]


def verdict(check: ContentCheck, chunks: Iterable[bytes]) -> Verdict:
    try:
        for chunk in chunks:
            check.feed(chunk)
        check.finish()
    except BatchDlError as error:
        return type(error).__name__, "", None, None
    return "ok", check.name, check.rows, getattr(check, "members", None)


def judge(kind: str, data: bytes, size: int | None = None) -> Verdict:
    check = check_for(None, f"x.{kind}")
    step = size or max(1, len(data))
    return verdict(check, [data[at : at + step] for at in range(0, len(data), step)])


def gzip_check() -> ContentCheck:
    return check_for("application/gzip", None)

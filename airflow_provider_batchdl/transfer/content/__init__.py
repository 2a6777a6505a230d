"""The content's own end: does a JSON, CSV, gzip, … document of undeclared length stop where it should.

Every check works incrementally in constant memory, in any chunking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchdl.transfer.content.base import ContentCheck

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ContentCheck", "check_for"]

_BY_SUFFIX = {
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "gz": "gzip",
    "zip": "zip",
    "parquet": "parquet",
}
_BY_TYPE = {
    "application/json": "json",
    "application/jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "application/json-lines": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/gzip": "gzip",
    "application/x-gzip": "gzip",
    "application/zip": "zip",
    "application/x-zip-compressed": "zip",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}


def kind_of(content_type: str | None, filename: str | None) -> str | None:
    """The format's name (`json`, `jsonl`, `csv`, `gzip`, `zip`, `parquet`), None where nothing is known.

    The file name's suffix comes first: stores often serve everything as `application/octet-stream` or `text/csv`.
    """
    suffix = _suffix(filename)
    media = (content_type or "").partition(";")[0].strip().lower()
    if suffix in _BY_SUFFIX:
        # A ".json" that is declared as JSON lines is believed.
        return "jsonl" if suffix == "json" and _BY_TYPE.get(media) == "jsonl" else _BY_SUFFIX[suffix]
    return _BY_TYPE.get(media) or ("json" if media.endswith("+json") else None)


def _suffix(filename: str | None) -> str:
    return (filename or "").rpartition(".")[2].lower() if "." in (filename or "") else ""


def check_for(content_type: str | None, filename: str | None) -> ContentCheck:
    """The check that fits what the response and the file name declare.

    Args:
        content_type: the response's Content-Type, parameters allowed.
        filename: the file's name; `.csv.gz` is checked as gzip and, inside it, as CSV.

    Returns:
        A new check; where nothing is known about the content, one that only refuses web pages and error messages.
    """
    kind = kind_of(content_type, filename)
    if kind == "gzip":
        from airflow_provider_batchdl.transfer.content.containers import GzipCheck

        inner = kind_of(None, (filename or "").rpartition(".")[0])
        return GzipCheck(_maker(inner)() if inner and inner != "gzip" else None)
    if kind is None:
        from airflow_provider_batchdl.transfer.content.unknown import UnknownCheck

        return UnknownCheck(may_be_page=_suffix(filename) in {"html", "htm"})
    return _maker(kind)()


def _maker(kind: str) -> Callable[[], ContentCheck]:
    from airflow_provider_batchdl.transfer.content import containers, delimited, json_document, lines

    makers: dict[str, Callable[[], ContentCheck]] = {
        "json": json_document.JsonCheck,
        "jsonl": lines.JsonLinesCheck,
        "csv": delimited.CsvCheck,
        "zip": containers.ZipCheck,
        "parquet": containers.ParquetCheck,
    }
    return makers[kind]

"""What a file's content tells: a page in the result's place, rows, and where nothing else proves it, its own end.

Everything works incrementally in constant memory, in any chunking.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.exceptions import TruncatedDownloadError, UnexpectedResponseError
from airflow_provider_batchdl.transfer.content import head
from airflow_provider_batchdl.transfer.content.base import Blocks, Look, Unlooked

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.content.base import ContentCheck

__all__ = ["Content", "Look", "kind_of"]

_SUFFIXES = {
    "jsonl": "jsonl ndjson",
    "csv": "csv tsv",
    "gzip": "gz",
    "json": "json",
    "zip": "zip",
    "parquet": "parquet",
}
_TYPES = {
    "json": "json",
    "jsonl": "jsonl jsonlines json-lines x-jsonlines x-ndjson ndjson",
    "csv": "csv tab-separated-values",
    "gzip": "gzip x-gzip",
    "zip": "zip x-zip-compressed",
    "parquet": "vnd.apache.parquet x-parquet",
}
_BY_SUFFIX = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_BY_TYPE = {
    f"{top}/{name}": kind for kind, names in _TYPES.items() for name in names.split() for top in ("application", "text")
}


def kind_of(content_type: str | None, filename: str | None) -> str | None:
    """The format's name (`json`, `jsonl`, `csv`, `gzip`, `zip`, `parquet`), None where nothing is known.

    The file name's suffix comes first: stores often serve everything as `application/octet-stream` or `text/csv`.
    """
    suffix = suffix_of(filename)
    media = (content_type or "").partition(";")[0].strip().lower()
    if suffix in _BY_SUFFIX:
        # A ".json" that is declared as JSON lines is believed.
        return "jsonl" if suffix == "json" and _BY_TYPE.get(media) == "jsonl" else _BY_SUFFIX[suffix]
    return _BY_TYPE.get(media) or ("json" if media.endswith("+json") else None)


def suffix_of(filename: str | None) -> str:
    """What stands behind the name's last dot, in lower case."""
    return (filename or "").rpartition(".")[2].lower() if "." in (filename or "") else ""


class Content:
    """Sees all bytes of one file in their order.

    Args:
        content_type: the response's Content-Type, parameters allowed.
        filename: the file's name; inside a `.csv.gz` is CSV.
        proven: whether something else proves the bytes. Then the content may only show a page in the result's place,
            and is checked for what costs little; else its own end has to be found, exactly.
        expected: what the vendor says that the file is, where name and type do not.
    """

    def __init__(
        self, content_type: str | None, filename: str | None, *, proven: bool, expected: str | None = None
    ) -> None:
        self._kind = kind_of(content_type, filename) or _BY_SUFFIX.get("" if suffix_of(filename) else expected or "")
        self._records = expected == "jsonl"
        self._filename = filename or ""
        self._proven = proven
        self._head = bytearray()
        self._size = 0
        self._check: ContentCheck | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            UnexpectedResponseError: the file is a page or a store's error message.
        """
        self._size += len(data)
        if len(self._head) < head.SMALL:
            self._head += data[: head.SMALL - len(self._head)]
        if self._check is not None:
            self._check.feed(data)
        elif self._size >= head.HEAD:
            self._begin().feed(bytes(self._head) + data[len(data) - (self._size - len(self._head)) :])

    def finish(self) -> Look:
        """What the content says, now that there is no more.

        Raises:
            UnexpectedResponseError: the file is a page or a store's error message.
        """
        check = self._check
        if check is None:
            check = self._begin()
            check.feed(bytes(self._head))
        look = check.finish()
        if self._size <= head.SMALL:
            look = replace(look, members={**look.members, **head.small_object(bytes(self._head))})
        if not self._size and not self._proven:
            return replace(look, error=TruncatedDownloadError("The download is empty, and nothing says that it is."))
        return look

    def snapshot(self) -> dict[str, Any] | None:
        """The state as small JSON, for another process to resume the check; None where it would have to begin anew."""
        state = self._check.snapshot() if isinstance(self._check, Blocks) else None
        return state and {"kind": self._kind, "check": state}

    def resume(self, state: dict[str, Any] | None) -> None:
        """Expect what follows the bytes that `snapshot` was taken after; without a state, it is not checked."""
        self._size = head.SMALL + 1
        self._check = Unlooked()
        if state is not None:
            self._check = check = self._text_check(state["kind"])
            check.restore(state["check"])

    def _begin(self) -> ContentCheck:
        """The check of what the first bytes are; `feed` has them."""
        start = bytes(self._head[: head.HEAD])
        if suffix_of(self._filename) not in {"html", "htm"}:
            head.refuse_page(start)
        self._check = self._proven_check(start) if self._proven else self._exact_check(start)
        return self._check

    def _proven_check(self, start: bytes) -> ContentCheck:
        """What the first bytes contradict is not checked: it lands, and nobody can count its rows."""
        if self._kind == "csv" and head.is_table(start):
            return self._text_check("csv")
        if self._kind in {"json", "jsonl"} and head.is_text(start):
            return self._text_check(self._kind)
        if self._kind == "parquet" and head.magic(start) == "parquet":
            return _container_check("parquet", self._filename)
        return Unlooked()

    def _text_check(self, kind: str) -> Blocks:
        from airflow_provider_batchdl.transfer.content import delimited, document, lines

        if kind == "csv":
            return delimited.CsvCheck()
        if kind == "json":
            return document.JsonCheck(proven=self._proven, records=self._records)
        return lines.JsonLinesCheck(proven=self._proven)

    def _exact_check(self, start: bytes) -> ContentCheck:
        found = head.magic(start)
        if found in {"gzip", "zip", "parquet"}:
            return _container_check(found, self._filename)
        if self._kind in {"gzip", "zip", "parquet"}:
            return Unlooked(Look(error=_not_what_it_is(self._kind, start)))
        if not head.is_text(start):
            return Unlooked()
        if self._kind in {"json", "jsonl"} or (self._kind == "csv" and head.is_table(start)):
            return self._text_check(self._kind)
        return Unlooked(Look(end="open"))


def _container_check(kind: str, filename: str) -> ContentCheck:
    from airflow_provider_batchdl.transfer.content import containers, parquet

    if kind == "gzip":
        inner = filename.removesuffix(".gz") if suffix_of(filename) == "gz" else ""
        return containers.GzipCheck(Content(None, inner, proven=True))
    return containers.ZipCheck() if kind == "zip" else parquet.ParquetCheck()


def _not_what_it_is(kind: str, start: bytes) -> TruncatedDownloadError | UnexpectedResponseError:
    if len(start) < 4:
        return TruncatedDownloadError(f"The {kind} content has only {len(start)} bytes.")
    return UnexpectedResponseError(f"The download was declared as {kind} but is not.")

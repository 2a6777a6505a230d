"""Whether the bytes that came are the whole file: declared checksums, length, framing, the content's own end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_batchdl.exceptions import ChecksumMismatchError, TruncatedDownloadError
from airflow_provider_batchdl.redaction import get_logger
from airflow_provider_batchdl.transfer.checksums import Digests, declared_checksums
from airflow_provider_batchdl.transfer.content import check_for
from airflow_provider_batchdl.transfer.stream import ResultStream

log = get_logger(__name__)

# Formats that may stop after any line.
_OPEN_ENDED = frozenset({"csv", "jsonl"})


class Examination:
    """Sees all bytes of one file in their order, from its first.

    Args:
        headers: those of the response that began it.
        filename: what it will be called, for telling its format.
        sha256: whether to compute it; what ``headers`` declare is checked all the same.
        inspect: refuses a result that says of itself that it is none; gets the JSON object's scalar members.
        facts: vendor and job, for errors.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        filename: str,
        *,
        sha256: bool,
        inspect: Callable[[Mapping[str, object]], None],
        facts: Mapping[str, Any],
    ) -> None:
        encoded = headers.get("content-encoding", "")
        self._declared, self._unchecked = ([], []) if encoded else declared_checksums(headers)
        self._with_sha256 = sha256
        self._digests = Digests({*(["sha256"] if sha256 else []), *(each.algorithm for each in self._declared)})
        self._content = check_for(headers.get("content-type"), filename)
        self._inspect = inspect
        self._facts = facts

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes. May raise what `verdict` raises, earlier."""
        self._digests.update(chunk)
        if self._content:
            self._content.feed(chunk)

    @property
    def sha256(self) -> str | None:
        """Hex digest of all bytes so far; None where it was turned off."""
        return self._digests.digest("sha256").hex() if self._with_sha256 else None

    @property
    def rows(self) -> int | None:
        """Records counted, known after `verdict`; None where the format does not tell."""
        return self._content.rows if self._content else None

    def verdict(self, size: int, head: ResultStream) -> tuple[str, ...]:
        """What proves the bytes whole; ``nothing`` where nothing does.

        Args:
            size: how many bytes there are.
            head: the response that the file is identified by.

        Raises:
            TruncatedDownloadError: they are too few or too many, or the format does not end there.
            ChecksumMismatchError: they are others than declared.
            UnexpectedResponseError: they are not what they claim to be.
        """
        total = head.identity.total
        if total is not None and size != total and not head.coding:
            raise TruncatedDownloadError(f"{size} bytes came of a file of {total}.", **self._facts)
        proofs = []
        for declared in self._declared:
            if self._digests.digest(declared.algorithm) != declared.expected:
                raise ChecksumMismatchError(f"The bytes are not those that {declared.header} declares.", **self._facts)
            proofs.append(declared.algorithm)
        for name in self._unchecked:
            log.warning("The checksum in %s cannot be checked here.", name)
        proofs += [head.framing] if head.framing else []
        proofs += self._judge_content(framed=bool(proofs), empty=size == 0)
        if not proofs:
            log.warning("Nothing about this file can be verified: no length, no checksum, no known format.")
        return tuple(proofs) or ("nothing",)

    def _judge_content(self, *, framed: bool, empty: bool) -> list[str]:
        """Whether the content ends where its format does.

        Text formats without an end of their own are judged leniently where a length or checksum has already proved
        the file to be what the vendor sent: then an empty file is an empty result, and an odd last line is theirs.
        """
        if self._content is None or (framed and empty and self._content.name in _OPEN_ENDED):
            return []
        try:
            self._content.finish()
        except TruncatedDownloadError as error:
            if not framed or self._content.name not in _OPEN_ENDED:
                raise
            log.warning("All bytes came, but: %s", error.message)
            return []
        if not framed and self._content.evidence == "weak":
            raise TruncatedDownloadError(
                "The server declares no length, and the last line is not complete: the file may have been cut.",
                **self._facts,
            )
        self._inspect(getattr(self._content, "members", {}))
        return [self._content.name]

"""Content of which neither the name nor the type tells the format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_batchdl.exceptions import UnexpectedResponseError
from airflow_provider_batchdl.transfer.content.base import BOM, HEAD, Evidence
from airflow_provider_batchdl.transfer.snapshots import Field, Stateful, buffer, optional

# A web page, or the `<Error>` that S3 and those who speak its language answer with; other XML may be a result.
_PAGE = re.compile(rb"(?is)\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|(?:html|head|body|error)\b)")


class UnknownCheck(Stateful):
    """Refuses a web page and a store's error message; knows nothing else about the content and proves nothing.

    A login page with status 200 has no name and is honest about its type, so that no format's own check sees it.

    Args:
        may_be_page: the file's name says that it is one.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {"_head": optional(buffer(HEAD))}
    name = "unknown"
    evidence: Evidence = "none"
    rows: int | None = None

    def __init__(self, *, may_be_page: bool = False) -> None:
        self._head: bytearray | None = None if may_be_page else bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        """Look at the first bytes."""
        if self._head is not None:
            self._head += memoryview(data).cast("B")[: HEAD - len(self._head)]
            if len(self._head) == HEAD:
                self._look()

    def finish(self) -> None:
        """Judge the first bytes of a file that has no more. Raises `UnexpectedResponseError` where they are a page."""
        if self._head is not None:
            self._look()

    def _look(self) -> None:
        head, self._head = bytes(self._head or b""), None
        if _PAGE.match(head.removeprefix(BOM)):
            raise UnexpectedResponseError("The download is an HTML page or an error message of the store, no result.")

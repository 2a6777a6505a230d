"""The response that refuses a download, as an answer whose error can be typed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

import httpx

from airflow_provider_batchdl._redaction.redactor import remember_link
from airflow_provider_batchdl.exceptions import BatchDlError
from airflow_provider_batchdl.transfer.source.decoding import decoded
from airflow_provider_batchdl.transfer.source.stream import read_small

if TYPE_CHECKING:
    import urllib3

    from airflow_provider_batchdl.transfer.source.head import ResponseHead

LARGEST_ERROR_BODY = 64 * 1024


def error_answer(response: urllib3.BaseHTTPResponse, head: ResponseHead, url: str) -> httpx.Response:
    """The response with its body, which is read, decoded and may be incomplete.

    Stores and gateways repeat a link's signature or token in the words of their refusal: from now on, those are hidden.
    """
    remember_link(url)
    body = read_small(response, LARGEST_ERROR_BODY)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in _readable(head.headers).items()]
    return httpx.Response(head.status, headers=headers, content=_unpacked(body, head))


def _readable(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without those of the body's coding and length: it is decoded, and may be cut."""
    coded = ("content-encoding", "content-length", "transfer-encoding")
    return {name: value for name, value in headers.items() if name not in coded}


def _unpacked(body: bytes, head: ResponseHead) -> bytes:
    try:
        return b"".join(islice(decoded([body], ", ".join(head.codings)), 1))
    except BatchDlError:
        return body

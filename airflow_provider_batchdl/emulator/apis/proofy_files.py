"""Proofy's file API. Its paths come from a third party; bodies and answers are inferences from the batch API's."""

from __future__ import annotations

import asyncio

from airflow_provider_batchdl.emulator.addresses import UnreadableInputError, addresses_in
from airflow_provider_batchdl.emulator.apis.proofy import BASE, Proofy
from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call, Endpoint, Reply
from airflow_provider_batchdl.emulator.uploads import read_upload


def endpoints(api: Proofy) -> list[Endpoint]:
    """Return the routes of files."""

    async def upload(call: Call) -> Reply:
        """Accept a CSV or TXT file in the multipart part ``file``."""
        received = await read_upload(call, "file")
        if received is None or not received.filename.lower().endswith((".csv", ".txt")):
            return api.error(422, "")
        try:
            emails = await asyncio.to_thread(lambda: list(addresses_in(received.path, received.filename)))
        except UnreadableInputError:
            return api.error(422, "")
        if not emails:
            return api.error(422, "")
        return api.start_job(emails, {}, filename=received.filename, upload=received.path)

    async def create(call: Call) -> Reply:
        """Accept a file by URL. The emulator fetches nothing: it makes up a few addresses from the URL."""
        try:
            body = await call.json_object()
        except BadBodyError:
            return api.error(400, "")
        name, url = body.get("file_name"), body.get("file_url")
        if not isinstance(name, str) or not isinstance(url, str) or not url.startswith(("http://", "https://")):
            return api.error(422, "")
        emails = [f"user{number}@{abs(hash_of(url)):x}.example" for number in range(10)]
        return api.start_job(emails, {"file_name": name, "file_url": url}, filename=name)

    text = {"type": "string"}
    by_url = {
        "type": "object",
        "properties": {"file_name": text, "file_url": text},
        "required": ["file_name", "file_url"],
    }
    file_part = {"type": "object", "properties": {"file": {**text, "format": "binary"}}, "required": ["file"]}
    upload_spec = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": file_part}}}}
    create_spec = {"requestBody": {"required": True, "content": {"application/json": {"schema": by_url}}}}
    file = f"{BASE}/verify/file/{{id}}"
    return [
        Endpoint("submit", "POST", f"{BASE}/verify/file/upload", upload, upload_spec),
        Endpoint("submit", "POST", f"{BASE}/verify/file/create", create, create_spec),
        Endpoint("download", "GET", f"{file}/download", api.download),
        Endpoint("status", "GET", file, api.status),
        Endpoint("cancel", "DELETE", file, api.cancel),
    ]


def hash_of(text: str) -> int:
    """Return a number that is the same for the same text in every process."""
    import zlib

    return zlib.crc32(text.encode(errors="replace"))

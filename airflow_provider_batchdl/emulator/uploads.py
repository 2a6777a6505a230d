"""Reading multipart uploads into the spool."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call
from airflow_provider_batchdl.emulator.results import Upload


async def read_upload(call: Call, part: str) -> tuple[Upload | None, dict[str, str]]:
    """Return the file in a multipart body's part, ``None`` where there is no such file, and the fields beside it.

    Raises:
        BadBodyError: where the body is broken multipart.
    """
    if not call.header("content-type").lower().startswith("multipart/form-data"):
        return None, {}
    async with form_of(call) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        value = form.get(part)
        if not isinstance(value, UploadFile):
            return None, fields
        path = call.world.spool_path()
        await asyncio.to_thread(_copy, value, path)
        return Upload(value.filename or "", path), fields


@asynccontextmanager
async def form_of(call: Call) -> AsyncIterator[FormData]:
    """Yield a body's form, multipart or urlencoded.

    Raises:
        BadBodyError: where it is broken.
    """
    try:
        form = await call.request.form()
    except (HTTPException, AssertionError, ValueError, KeyError) as error:
        raise BadBodyError(f"There was an error parsing the body ({type(error).__name__})") from None
    try:
        yield form
    finally:
        await form.close()


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file, 1 << 20)

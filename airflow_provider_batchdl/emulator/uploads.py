"""Reading multipart uploads into the spool."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from airflow_provider_batchdl.emulator.exchange import BadBodyError, Call


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        filename: the part's file name.
        content_type: the part's media type, may be empty.
        path: where its bytes lie.
    """

    filename: str
    content_type: str
    path: Path


async def read_upload(call: Call, part: str) -> Upload | None:
    """Return the file in a multipart body's part, or ``None`` where there is no such file.

    Raises:
        BadBodyError: where the body is broken multipart.
    """
    if not call.header("content-type").lower().startswith("multipart/form-data"):
        return None
    try:
        form = await call.request.form()
    except (HTTPException, AssertionError, ValueError, KeyError) as error:
        raise BadBodyError(f"There was an error parsing the body ({type(error).__name__})") from None
    try:
        value = form.get(part)
        if not isinstance(value, UploadFile):
            return None
        path = call.world.spool_path()
        await asyncio.to_thread(_copy, value, path)
        return Upload(value.filename or "", value.content_type or "", path)
    finally:
        await form.close()


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file, 1 << 20)

"""Files of a job: what was uploaded, what a download yields, and how one is derived from the other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        filename: the part's file name.
        path: where its bytes lie.
    """

    filename: str
    path: Path


@dataclass(frozen=True)
class ServedFile:
    """One result file as a perfect download yields it.

    Attributes:
        name: file name; the last segment of a link's path, or the ``Content-Disposition`` name.
        size: bytes.
        sha256: hexadecimal digest of the bytes.
        part: number of the part, from 1.
        content_type: media type under which it is served.
    """

    name: str
    size: int
    sha256: str
    part: int
    content_type: str


@dataclass(frozen=True)
class Recipe:
    """Derivation of a result from the submitted input.

    Attributes:
        content_type: media type of the file.
        write: called as ``write(file, revision, share)`` where ``revision`` counts the file's replacements and
            ``share`` is the part of the rows (0 to 1) that the job got done.
    """

    content_type: str
    write: Callable[[BinaryIO, int, float], None]


@contextmanager
def as_text(file: BinaryIO, errors: str = "strict") -> Iterator[io.TextIOWrapper]:
    """Write a file as UTF-8 text with line breaks as they are; it is left open."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors=errors, newline="")
    yield text
    text.flush()
    text.detach()

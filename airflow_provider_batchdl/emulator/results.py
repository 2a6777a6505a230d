"""Result files of a job: what a download yields, and how one is derived from the input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO


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

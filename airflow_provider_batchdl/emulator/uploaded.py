"""An uploaded file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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

"""Outcome of one download, judged by the destination's bytes and not by what the engine reports."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["ok", "error", "bad", "hung", "none"]

UNTYPED = "untyped"
"""Marks an error of ours that is no `BatchDlError`."""


@dataclass(frozen=True)
class Seen:
    """What one run left.

    Attributes:
        ended: how the engine ended: by itself, well or badly, or by the harness's time-out.
        error: the type of the error, as the engine names it.
        digest: SHA-256 of the destination; None where nothing is there.
        length: bytes at the destination.
        good: SHA-256 of the file as it was at the start.
        good_later: SHA-256 of the file that replaced it, if one did.
        size: bytes of the file.
        sent: bytes of it that the server sent.
        leaked: what another host got: ``key``, ``auth``. None where no other host was in play.
        left: what else was left behind: temporary files, unfinished uploads.
        packed: SHA-256 of the file as it came, packed; None where it did not come so.
        hasty: it asked again before the time that ``Retry-After`` named.
    """

    ended: Literal["ok", "error", "hung"]
    digest: str | None
    length: int
    good: str
    size: int
    sent: int
    error: str = ""
    good_later: str | None = None
    leaked: tuple[str, ...] | None = None
    left: tuple[str, ...] = ()
    hasty: bool = False
    packed: str | None = None


@dataclass(frozen=True)
class Cell:
    """One outcome in a word or two, and what is wrong with it."""

    text: str
    kind: Kind
    partial: bool = False
    leaked: bool = False
    left: tuple[str, ...] = ()


NOTHING = Cell("n/a", "none")


def judged(seen: Seen) -> Cell:
    """The outcome of one run."""
    cell = _transfer(seen)
    if seen.leaked is None:
        return cell
    word = f"{' + '.join(seen.leaked)} leaked" if seen.leaked else "held"
    text = word if cell.kind == "ok" else f"{word}; {cell.text}"
    return Cell(text, cell.kind, cell.partial, bool(seen.leaked), cell.left)


def _transfer(seen: Seen) -> Cell:
    whole = seen.digest is not None and seen.digest in (seen.good, seen.good_later, seen.packed)
    partial = seen.digest is not None and not whole
    if seen.ended == "ok":
        if not whole:
            found = f"{seen.length:,} B" if seen.digest else "no file"
            return Cell(f"**SILENT BAD** ({found})", "bad", partial, left=seen.left)
        new = " (new)" if seen.good_later and seen.digest == seen.good_later else ""
        new = " (packed)" if seen.digest == seen.packed else new
        hasty = ", asks too soon" if seen.hasty else ""
        return Cell(f"ok{new} {seen.sent / seen.size:.2f}x{hasty}", "ok", left=seen.left)
    word = "hung" if seen.ended == "hung" else f"error: {seen.error or 'unnamed'}"
    word += " + partial left" * partial + ", hidden part kept" * any(item.startswith(".") for item in seen.left)
    return Cell(word, "hung" if seen.ended == "hung" else "error", partial, left=seen.left)


def digest_of(path: Path) -> tuple[str | None, int]:
    """SHA-256 and length of a file; None and 0 where there is none."""
    if not path.is_file():
        return None, 0
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def broken_promises(cells: dict[str, Cell], undetectable: frozenset[str]) -> list[str]:
    """What this engine must never do and did, by column.

    Args:
        cells: this engine's outcomes by column.
        undetectable: columns in which nothing that the server says tells the wrong file from the right one.
    """
    problems = []
    for column, cell in cells.items():
        if cell.kind == "bad" and column not in undetectable:
            problems.append(f"{column}: a silent wrong result ({cell.text})")
        elif cell.partial and cell.kind != "bad":
            problems.append(f"{column}: a visible partial ({cell.text})")
        if cell.kind == "hung":
            problems.append(f"{column}: it did not end ({cell.text})")
        if UNTYPED in cell.text:
            problems.append(f"{column}: an error that is not one of ours ({cell.text})")
        if cell.leaked:
            problems.append(f"{column}: a credential reached another host ({cell.text})")
        # What a failed try keeps, under a hidden name, is there for the next one.
        problems += [
            f"{column}: left behind: {item}" for item in cell.left if cell.kind == "ok" or not item.startswith(".")
        ]
    return problems

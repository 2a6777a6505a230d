"""What stopped downloads left in a folder, found without going through a large one for each file that lands there."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from airflow_provider_batchdl.transfer.sinks import partial

TRUSTED_SECONDS = 1.0
"""So long a listing may serve."""
NAMES_FOR_A_LOOK = 8
"""A listing serves one look at it for so many names that it had to go through."""


@dataclass(frozen=True)
class _Partial:
    path: str
    name: str
    key: str


@dataclass
class _Listing:
    """The partials in a folder, and what a look at them has cost so far."""

    folder: str
    taken: float
    names: int
    partials: list[_Partial]
    looks: int = 0

    def serves(self, folder: str) -> bool:
        """Whether to look at it once more, instead of listing ``folder`` anew."""
        self.looks += 1
        paid_off = self.looks * NAMES_FOR_A_LOOK >= self.names
        return self.folder == folder and not paid_off and time.monotonic() - self.taken < TRUSTED_SECONDS


class _LastListing:
    """The last listing of a folder.

    A thousand results into one folder would go through half a million names if each listed it. So a small folder is
    listed for each look, and a large one once for many looks, but at least once a second. What another process leaves
    in that second is met by the next try of the same job, whose key is the partial's name, or found a second later.
    """

    def __init__(self) -> None:
        # One: who writes many files into a folder writes them one after another.
        self._listing: _Listing | None = None

    def partials(self, folder: str) -> list[_Partial]:
        listing = self._listing
        if listing is None or not listing.serves(folder):
            listing = self._listing = _listed(folder)
        return listing.partials

    def forget(self, folder: str) -> None:
        if self._listing is not None and self._listing.folder == folder:
            self._listing = None


_last = _LastListing()


def found(folder: str, *, key: str) -> list[str]:
    """The partials of `key` in `folder`, also those of which only the state is left."""
    return sorted({each.path for each in _last.partials(folder) if each.key == key})


def remove_unused(folder: str, name: str, key: str | None) -> None:
    """Remove the partials of the file `name`, and those of `key`, that no process holds. Never raises.

    A killed try may have known the file by another name: the name can be the answer's, and answers differ.
    """
    cut = partial.cut(name)
    for path in sorted({each.path for each in _last.partials(folder) if each.name == cut or each.key == key}):
        partial.remove_if_unused(path)


def noticed(folder: str) -> None:
    """A partial was left in `folder` on purpose: list it the next time."""
    _last.forget(folder)


def _listed(folder: str) -> _Listing:
    taken = time.monotonic()
    try:
        names = os.listdir(folder or ".")
    except OSError:
        names = []
    partials = []
    for each in names:
        match = partial.PARTIAL.fullmatch(each) if each.startswith(".") else None
        if match:
            partials.append(_Partial(os.path.join(folder, match["partial"]), match["name"], match["key"]))
    return _Listing(folder, taken, len(names), partials)

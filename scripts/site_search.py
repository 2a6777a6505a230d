"""Asks the built site's search for each error class and each operator argument: `make docs` runs it in .venv-docs/.

The index is the one that the site's own search loads, with its separator and boosts; lunr is the search.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from lunr.builder import Builder
from lunr.query import QueryPresence

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "site" / "search" / "search_index.json"
PACKAGE = "airflow_provider_batchdl"
OPERATORS = (
    "operators.run.BatchJobOperator",
    "operators.submit.SubmitBatchJobOperator",
    "sensors.job.BatchJobSensor",
    "operators.download.DownloadBatchResultsOperator",
    "operators.cancel.CancelBatchJobOperator",
    "options.DownloadOptions",
    "_tasks.download_mixin.LandsResults",
)
FIRST = 5  # what a reader sees of the results


class Search:
    """The search of the built site.

    Args:
        path: its index.
    """

    def __init__(self, path: Path) -> None:
        built = json.loads(path.read_text())
        # JavaScript's "not at a boundary of a word" is as Python's.
        self._separator = re.compile(built["config"]["separator"])
        builder = Builder()
        builder.ref("location")
        for name, field in built["config"]["fields"].items():
            builder.field(name, boost=field["boost"])
        for each in built["docs"]:
            title, text = (self._words(re.sub(r"<[^>]+>", " ", each[field])) for field in ("title", "text"))
            document = {"location": each["location"], "title": title, "text": text, "tags": []}
            builder.add(document, {"boost": each.get("boost", 1)})
        self._index = builder.build()

    def _words(self, text: str) -> list[str]:
        words = (re.sub(r"^\W+|\W+$", "", word).lower() for word in self._separator.split(text))
        return [word for word in words if word]

    def find(self, name: str) -> list[str]:
        """Where the sections are that have all words of a name, the best first."""
        query = self._index.create_query()
        for word in self._words(name):
            query.term(word, presence=QueryPresence.REQUIRED)
        return [str(each["ref"]) for each in self._index.query(query)]


def names() -> Iterator[tuple[str, str]]:
    """Each error class and each operator argument, with the page that has to be found."""
    package: Any = griffe.load(PACKAGE, search_paths=[str(ROOT)])
    for name in package["exceptions"].exports:
        yield str(name), "errors.html"
    for operator in OPERATORS:
        found = package[operator]
        parameters = found["__init__"].parameters if "__init__" in found.members else found.parameters
        for each in parameters:
            if each.name not in ("self", "kwargs"):
                yield each.name, "operators.html"


def main() -> int:
    """Print what the search does not find; 1 if there is any."""
    search = Search(INDEX)
    wanted = sorted(set(names()))
    lost = [(name, page) for name, page in wanted if not any(at.startswith(page) for at in search.find(name)[:FIRST])]
    for name, page in lost:
        print(f"The search for {name} does not show {page} among the first {FIRST}: {search.find(name)[:FIRST]}")
    print(f"The site's search finds {len(wanted) - len(lost)} of {len(wanted)} names.")
    return 1 if lost or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())

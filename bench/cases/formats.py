"""The same large file as CSV, JSON and so on: what checking the content costs beside opaque bytes, and its memory."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import formats
from bench.measure import Case, Results, Series
from bench.scene import OURS, Scene
from bench.settings import LARGE, MIB

LONG_LINE = 50 << 20
_PREFIX = "format "


def title(name: str) -> str:
    """The name of the table for a format."""
    return f"{_PREFIX}{name}"


def summary(results: Results) -> str:
    """All formats beside opaque bytes, the most expensive first; README quotes the first one."""
    rows = []
    for name in (*formats.FORMATS, *formats.PACKED):
        if title(name) in results:
            series = results[title(name)].series
            ours = series[OURS].median("cpu")
            rows.append(
                (ours / series["curl + openssl"].median("cpu"), ours / series["ours, .bin"].median("cpu"), name)
            )
    if not rows:
        return ""
    columns = "| result | times curl + openssl | times the same size as `.bin` |\n|---|---|---|\n"
    head = f"## Formats, by the CPU of the work\n\n{columns}"
    return head + "".join(
        f"| {name} | {curl:.2f} | {plain:.2f} |\n" for curl, plain, name in sorted(rows, reverse=True)
    )


def measured(scene: Scene) -> Iterator[tuple[str, Case]]:
    """A table for each format, beside the same bytes without a name and beside curl; then the peaks of memory."""
    memory: dict[str, Series] = {}
    for name in (*formats.FORMATS, *formats.PACKED):
        file = f"format.{formats.suffix_of(name)}"
        formats.write(scene.data / file, name, MIB << 20)
        try:
            yield scene.in_turn(title(name), {
                OURS: scene.python("ours", file=file, sha256=True),
                "ours, .bin": scene.python("ours", file=LARGE, sha256=True),
                "curl + openssl": scene.curl(file=file, sha256=True),
            })  # fmt: skip
            _, peak = scene.in_turn("peak", {f"ours, {name}": scene.python("ours", file=file, sha256=True)}, runs=1)
            memory |= peak.series
        finally:
            (scene.data / file).unlink()
    file = "line.jsonl"
    (scene.data / file).write_text(json.dumps({"a": "x" * LONG_LINE}) + "\n")
    case, result = scene.in_turn("memory by format", {
        "ours, a JSON line of 50 MB": scene.python("ours", file=file, sha256=True),
    }, runs=1)  # fmt: skip
    (scene.data / file).unlink()
    result.series.update(memory)
    yield case, result

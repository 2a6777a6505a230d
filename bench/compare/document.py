"""docs/comparison.md, of cells that were measured."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping

from bench.compare import notes
from bench.compare.judge import COLUMNS, Seen
from bench.compare.rivals import RIVALS
from bench.compare.scenes import PROMPTS, SCENES, Scene
from bench.peer_venv import ROOT

PATH = ROOT / "docs" / "comparison.md"
Outcomes = Mapping[tuple[str, str], Seen]
"""By scene and engine."""


class NotMeasuredError(Exception):
    """A cell has no measurement: the page is not written."""


def page(outcomes: Outcomes, versions: Mapping[str, str], seconds: float) -> str:
    """The page in Markdown.

    Raises:
        NotMeasuredError: a cell was not measured, or a version is not known.
    """
    missing = [f"{scene.key}, {rival.engine}" for scene in SCENES for rival in RIVALS
               if (scene.key, rival.engine) not in outcomes]  # fmt: skip
    missing += [rival.package for rival in RIVALS if not versions.get(rival.package)]
    if missing:
        raise NotMeasuredError(f"docs/comparison.md is not written; not measured: {'; '.join(missing)}")
    return "\n".join([
        "# Side by side: one OpenAI batch, four engines",
        "",
        "Written by `make comparison` from a run. Do not edit.",
        "",
        *notes.beginning(outcomes),
        "",
        *(line for scene in SCENES for line in (*_table(scene, outcomes), "")),
        "## What the wait costs Airflow",
        "",
        *_waiting(outcomes),
        "",
        *notes.ends(outcomes),
        "",
        "## How it was run",
        "",
        *(line for paragraph in notes.HOW for line in (paragraph, "")),
        *(f"* {rival.name.replace('**', '')}: {rival.package} {versions[rival.package]}" for rival in RIVALS),
        "",
        (f"On {dt.datetime.now(dt.UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores shared with other work, Python {platform.python_version()}, in {seconds:.0f} s."),
        "",
    ])  # fmt: skip


def _table(scene: Scene, outcomes: Outcomes) -> list[str]:
    lines = [f"## {scene.title}", "", scene.says, ""]
    lines += ["| engine | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for rival in RIVALS:
        seen = outcomes[scene.key, rival.engine]
        lines.append(f"| {rival.name} | " + " | ".join(cell(seen) for cell in COLUMNS.values()) + " |")
    return lines


def _waiting(outcomes: Outcomes) -> list[str]:
    """What the run without faults took of Airflow."""
    lines = [
        f"Of the run in which nothing goes wrong, with {PROMPTS:,} rows:",
        "",
        "| engine | while the batch runs | largest message to Airflow's database |",
        "|---|---|---|",
    ]
    for rival in RIVALS:
        seen = outcomes["calm", rival.engine]
        if rival.engine == "airbyte":
            place, message = "a process of its own waits", "n/a: not in Airflow"
        else:
            place = notes.place_of_wait(rival.engine, seen)
            message = f"{seen.largest_message:,} bytes" + ", **with the key**" * seen.key_in_airflow
        lines.append(f"| {rival.name} | {place} | {message} |")
    return lines


def write(outcomes: Outcomes, versions: Mapping[str, str], seconds: float) -> None:
    """Write the page, whole or not at all."""
    text = page(outcomes, versions, seconds)
    PATH.write_text(text)

"""Runs the scenes and writes docs/comparison.md: `python -m bench.compare [--only SCENE-OR-ENGINE …]`.

Exits with 1 where this package left a person something to do, or where a cell was not measured. With `--only` it prints
and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench.compare import document
from bench.compare.judge import COLUMNS, Seen
from bench.compare.rivals import RIVALS, versions
from bench.compare.run import PEERS, play
from bench.compare.scenes import SCENES

AT_ONCE = 4


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Play every scene with every engine, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare")
    parser.add_argument("--only", nargs="+", default=[], help="keys of scenes and engines")
    only = parser.parse_args().only
    PEERS.build()
    began = time.monotonic()
    scenes = [scene for scene in SCENES if scene.key in only] or SCENES
    engines = [rival.engine for rival in RIVALS if rival.engine in only] or [rival.engine for rival in RIVALS]
    outcomes: dict[tuple[str, str], Seen] = {}

    def one(scene_index: int, engine: str) -> None:
        scene, started = scenes[scene_index], time.monotonic()
        seen = outcomes[scene.key, engine] = play(engine, scene)
        cells = " | ".join(cell(seen) for cell in COLUMNS.values())
        say(f"{time.monotonic() - started:5.1f} s  {scene.key:<8} {engine:<14} {cells}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        cells = [pool.submit(one, index, engine) for index in range(len(scenes)) for engine in engines]
        broken = [error for cell in cells if (error := cell.exception())]
    for error in broken:
        say(f"NOT MEASURED: {error}")
    unclean = [scene for (scene, engine), seen in sorted(outcomes.items()) if engine == "ours" and not seen.is_clean]
    for scene in unclean:
        say(f"BROKEN PROMISE: {scene}")
    if not only and not broken:
        document.write(outcomes, versions(), time.monotonic() - began)
    return 1 if broken or unclean else 0


if __name__ == "__main__":
    sys.exit(main())

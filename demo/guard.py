"""Ends a run's Airflow if the demo itself cannot any more: killed, out of memory.

Only the demo holds the other end of this process's standard input. When it closes, the demo has ended in
some way, and any process of its Airflow that is still running was left behind.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from demo.processes import end_strays


def main() -> None:
    """`python -m demo.guard AIRFLOW_HOME [--remove]`: wait for the demo's end, then clean up."""
    home = Path(sys.argv[1])
    sys.stdin.buffer.read()
    end_strays(home)
    if "--remove" in sys.argv[2:]:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

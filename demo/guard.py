"""Ends a run's Airflow where the demo itself can't any more: killed, out of memory.

The demo holds the other end of this process's standard input, and nobody else does. When it closes, the demo has ended,
however that came about; what is then left of its Airflow has been left behind.
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

"""How many milliseconds the operator of a DAG file adds to importing ``airflow.sdk``: the median of several processes.

Run ``python bench/import_cost.py``. Modules are counted by their own time, as ``-X importtime`` tells it, from
the first of this package on; what ``airflow.sdk`` itself loads lazily is loaded before.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 7
LIMIT_MS = 50.0
_MARK = "== ours from here =="
_CODE = f"""
import sys
import airflow.sdk
from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator
print({_MARK!r}, file=sys.stderr)
import airflow_provider_batchdl.operators.run
"""


def once() -> float:
    """Milliseconds, in one new process."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-W", "ignore", "-c", _CODE], capture_output=True, text=True, check=True
    )
    lines = done.stderr.partition(_MARK)[2].splitlines()
    return sum(int(line.partition(":")[2].split("|")[0]) for line in lines if line.startswith("import time:")) / 1000


def main() -> int:
    """Measure, tell, and say by the exit code whether it is little enough."""
    once()  # so that bytecode is compiled
    measured = sorted(once() for _ in range(RUNS))
    median = statistics.median(measured)
    print(f"{median:.1f} ms (median of {RUNS}: {', '.join(f'{each:.1f}' for each in measured)})")
    return 0 if median < LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())

"""One Python contender, one run, in a process of its own: the order comes as JSON on standard input, costs go out so.

What is reported is the work alone, from after the imports to its end; the parent measures the whole process too. With
``"profile": true`` in the order it reports, instead, where the work's CPU seconds went.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench import profiles
from bench.contenders import contender
from bench.proc import status_mib


def main() -> None:
    """Obey the order."""
    order: dict[str, Any] = json.load(sys.stdin)
    work = contender(order["contender"])(order)
    if order.get("profile"):
        print(json.dumps({"profile": profiles.of(work)}))
        return
    before, whole = status_mib("VmRSS"), status_mib("VmHWM")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here (proc(5))
    wall, cpu = time.perf_counter(), _cpu()
    work()
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    peak = status_mib("VmHWM")
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": max(peak, whole), "over": peak - before}))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

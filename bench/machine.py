"""What the benchmark ran on and with."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = (
    "urllib3", "requests", "httpx", "huggingface_hub", "fsspec", "boto3", "s3fs", "obstore", "apache-airflow",
    "apache-airflow-providers-amazon", "apache-airflow-providers-http",
)  # fmt: skip
_PROGRAMS = {"nginx": "-v", "curl": "--version", "wget": "--version", "aria2c": "--version", "openssl": "version"}


def file_system(folder: Path) -> str:
    """What kind of file system ``folder`` is on: ``tmpfs``, ``ext2/ext3``, …."""
    return _said("stat", "-f", "-c", "%T", str(folder))


def described(folder: Path) -> tuple[str, str]:
    """The machine with the file system of ``folder``, and every version, as text for the page."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    kind = "virtual machine" if any("hypervisor" in line for line in lines if line.startswith("flags")) else "machine"
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    kernel = f"{platform.system()} {platform.release().partition('-')[0]}"
    programs = ", ".join(f"{name} {_version(name, option)}" for name, option in _PROGRAMS.items())
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    where = (
        f"{datetime.now(UTC):%Y-%m-%d} · {os.cpu_count()} cores, {model}, {memory} GiB, {kernel}, {kind}; targets on "
        f"{file_system(folder)}; load averages at the end {load}."
    )
    return where, f"Python {platform.python_version()}, {programs}, {packages}."


def _version(program: str, option: str) -> str:
    words = _said(program, option).splitlines()[0].replace("nginx/", "").split()
    return next((word for word in words if word[0].isdigit()), "?")


def _said(*command: str) -> str:
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return (done.stdout or done.stderr.replace("nginx version: ", "")).strip()

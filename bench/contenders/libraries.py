"""Downloaders that bring their own loop, called as their documentation shows."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.contenders import Order, Work
from bench.contenders.source import url


def huggingface_hub(order: Order) -> Work:
    """`huggingface_hub.file_download.http_get`, without its progress bar."""
    os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")
    http_get: Any = import_module("huggingface_hub.file_download").http_get

    def work() -> None:
        with Path(order["target"]).open("wb") as target:
            http_get(url(order), target)

    return work


def fsspec(order: Order) -> Work:
    """The HTTP file system of `fsspec` (aiohttp), `get_file`."""
    filesystem: Any = import_module("fsspec").filesystem("http")

    def work() -> None:
        filesystem.get_file(url(order), order["target"])

    return work

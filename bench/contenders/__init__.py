"""Those who are measured: `tools` are programs; the others run in `child`, by the names here.

A Python contender is a function that takes the order, imports what it needs, makes its clients, and returns the work:
only that is measured as work. The order is a dict:

* ``base``, ``file``: the source's URL and the name under it; ``certificate``: the file to trust, or None;
* ``target``: the local path, or ``bucket/key`` where ``s3`` has the store's address;
* ``sha256``: whether to hash; ``connections``: the most for one file, where it is said;
* ``cold``: make the S3 client within the work, so that its memory is counted;
* ``count``: take so many small files instead, into the folder ``target``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

Order = dict[str, Any]
Work = Callable[[], None]

_FOUND_IN = {
    "ours": "ours",
    "urllib3": "loops",
    "requests": "loops",
    "httpx": "loops",
    "huggingface_hub": "libraries",
    "fsspec": "libraries",
    "boto3": "stores",
    "s3fs": "stores",
    "obstore": "stores",
    "http_to_s3": "operators",
    "sockets": "limits",
    "sending": "limits",
    "disk": "limits",
    "hashlib_sha256": "limits",
}


def contender(name: str) -> Callable[[Order], Work]:
    """The function of this name."""
    module = import_module(f"bench.contenders.{_FOUND_IN[name]}")
    found: Callable[[Order], Work] = getattr(module, name)
    return found

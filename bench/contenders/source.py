"""What several contenders need: the file's URL, a urllib3 pool to read it with, the S3 client's settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import urllib3

from bench.contenders import Order

MIB = 1 << 20


def url(order: Order) -> str:
    """The large file's address."""
    return f"{order['base']}/{order['file']}"


def small_files(order: Order) -> Iterator[tuple[str, str]]:
    """The small files' names on the server, with their targets."""
    return ((f"small/{n}.csv", f"{order['target']}/{n}.csv") for n in range(order["count"]))


def pool(order: Order) -> urllib3.PoolManager:
    """The cheapest of the Python clients, for those who bring none of their own."""
    return urllib3.PoolManager(ca_certs=order.get("certificate"))


def opened(pool: urllib3.PoolManager, order: Order) -> AbstractContextManager[Any]:
    """The large file's response, its body not read yet."""
    return pool.request("GET", url(order), preload_content=False)


def s3_settings(order: Order) -> dict[str, Any]:
    """Keyword arguments of boto's clients, for the store of `discard`."""
    trust = {"verify": order["certificate"]} if order.get("certificate") else {}
    return {"region_name": "us-east-1", **trust}


def s3_filesystem(order: Order) -> Any:
    """The store as a file system; its client is made, as boto3's is, before the work, where ``cold`` is not ordered."""
    import s3fs

    fs = s3fs.S3FileSystem(endpoint_url=order["s3"], key="k", secret="s", client_kwargs=s3_settings(order))
    if not order.get("cold"):
        fs.connect()
    return fs

"""Loops over a Python HTTP client, as users write them, with the chunk size that costs each least (1 MiB where it can
be chosen without a copy)."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import IO

from bench.contenders import Order, Work
from bench.contenders.source import MIB, opened, pool, small_files, url


def _target(order: Order) -> IO[bytes]:
    return Path(order["target"]).open("wb", buffering=0)


def urllib3(order: Order) -> Work:
    """`urllib3`, the response read in pieces of 1 MiB."""
    connections = pool(order)

    def work() -> None:
        with opened(connections, order) as response, _target(order) as target:
            while chunk := response.read(MIB):
                target.write(chunk)

    return work


def requests(order: Order) -> Work:
    """`requests`, `iter_content`."""
    from requests import Session

    session = Session()

    def work() -> None:
        trust = order.get("certificate")
        with session.get(url(order), stream=True, verify=trust) as response, _target(order) as target:
            target.writelines(response.iter_content(MIB))

    return work


def httpx(order: Order) -> Work:
    """`httpx`, one client for all files; `iter_raw` with no size is the cheapest of its iterators."""
    from httpx import Client

    certificate = order.get("certificate")
    client = Client(verify=ssl.create_default_context(cafile=certificate) if certificate else True)

    def work() -> None:
        if not order.get("count"):
            with client.stream("GET", url(order)) as response, _target(order) as target:
                target.writelines(response.iter_raw())
        else:
            for name, path in small_files(order):
                with (
                    client.stream("GET", f"{order['base']}/{name}") as response,
                    Path(path).open("wb", buffering=0) as target,
                ):
                    target.writelines(response.iter_raw())

    return work

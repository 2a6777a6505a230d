"""Uploads into S3 by the libraries that there are for it; those that bring no HTTP client of their own read the source
with urllib3."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from bench.contenders import Order, Work
from bench.contenders.source import MIB, opened, pool, s3_filesystem, s3_settings


def boto3(order: Order) -> Work:
    """`upload_fileobj` with its defaults: parts of 8 MiB, ten threads."""
    from boto3 import client

    store = client(
        "s3", endpoint_url=order["s3"], aws_access_key_id="k", aws_secret_access_key="s", **s3_settings(order)
    )
    connections = pool(order)

    def work() -> None:
        with opened(connections, order) as response:
            store.upload_fileobj(response, "bench", "object")

    return work


def s3fs(order: Order) -> Work:
    """`open("wb")`, which is what Airflow's `ObjectStoragePath.open` uses."""
    fs, connections = s3_filesystem(order), pool(order)

    def work() -> None:
        with opened(connections, order) as response, fs.open("bench/object", "wb") as target:
            shutil.copyfileobj(response, target, MIB)

    return work


def obstore(order: Order) -> Work:
    """`open_writer`: parts of 8 MiB, four at once, sent by a library written in Rust."""
    from obstore import open_writer
    from obstore.store import S3Store

    options: dict[str, Any] = {"allow_http": True, "timeout": "600s"}
    if order.get("certificate"):
        options["root_certificate"] = Path(order["certificate"]).read_bytes()
    connections = pool(order)

    def work() -> None:
        store = S3Store(
            "bench", endpoint=order["s3"], access_key_id="k", secret_access_key="s", region="us-east-1",
            client_options=options, virtual_hosted_style_request=False,
        )  # fmt: skip
        with (
            opened(connections, order) as response,
            open_writer(store, "object", buffer_size=8 * MIB, max_concurrency=4) as target,
        ):
            while chunk := response.read(MIB):
                target.write(chunk)

    return work

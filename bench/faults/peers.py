"""One download by one of the Python peers, in a process of `.venv-faults/`: `python peers.py ENGINE < order.json`.

Each is used as its documentation shows, with the time-outs and retries that it offers. It imports nothing of this
repository. It prints nothing where the engine says that all went well, else one line: the error's type.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import urllib.request
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

IDLE = 3.0
RETRIES = 4
Order = dict[str, Any]


def with_requests(order: Order) -> None:
    requests: Any = import_module("requests")
    with requests.get(order["url"], headers=order["headers"], stream=True, timeout=IDLE) as answer:
        answer.raise_for_status()
        with Path(order["path"]).open("wb") as file:
            file.writelines(answer.iter_content(1 << 16))


def with_httpx(order: Order) -> None:
    httpx: Any = import_module("httpx")
    with httpx.stream("GET", order["url"], headers=order["headers"], follow_redirects=True, timeout=IDLE) as answer:
        answer.raise_for_status()
        with Path(order["path"]).open("wb") as file:
            file.writelines(answer.iter_bytes())


def with_aiohttp(order: Order) -> None:
    aiohttp: Any = import_module("aiohttp")

    async def fetch() -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=IDLE)
        async with (
            aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
            session.get(order["url"], headers=order["headers"]) as answer,
        ):
            with Path(order["path"]).open("wb") as file:  # noqa: ASYNC230 as the library's documentation does
                async for chunk in answer.content.iter_chunked(1 << 16):
                    file.write(chunk)

    asyncio.run(fetch())


def with_urllib(order: Order) -> None:
    request = urllib.request.Request(order["url"], headers=order["headers"])  # noqa: S310
    with urllib.request.urlopen(request, timeout=IDLE) as answer, Path(order["path"]).open("wb") as file:  # noqa: S310
        shutil.copyfileobj(answer, file)


def with_huggingface(order: Order) -> None:
    os.environ.update(HF_HUB_DOWNLOAD_TIMEOUT=str(int(IDLE)), HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_XET="1")
    http_get: Any = import_module("huggingface_hub.file_download").http_get
    with Path(order["path"]).open("wb") as file:
        http_get(order["url"], file, headers=order["headers"], expected_size=order["size"])


def with_fsspec(order: Order) -> None:
    fsspec, aiohttp = import_module("fsspec"), import_module("aiohttp")
    timeout = aiohttp.ClientTimeout(total=None, sock_read=IDLE)
    store = fsspec.filesystem("http", headers=order["headers"], client_kwargs={"timeout": timeout})
    store.get_file(order["url"], order["path"])


def with_google(order: Order) -> None:
    download: Any = import_module("google.resumable_media.requests").Download
    requests: Any = import_module("requests")
    with Path(order["path"]).open("wb") as file:
        download(order["url"], stream=file, headers=order["headers"]).consume(requests.Session(), timeout=IDLE)


def with_pooch(order: Order, known_hash: str | None = None) -> None:
    pooch: Any = import_module("pooch")
    path = Path(order["path"])
    cache = pooch.create(
        path.parent, "", registry={path.name: known_hash}, urls={path.name: order["url"]}, retry_if_failed=RETRIES
    )
    cache.fetch(path.name, downloader=pooch.HTTPDownloader(headers=order["headers"], timeout=IDLE))


def with_pooch_hash(order: Order) -> None:
    with_pooch(order, f"sha256:{order['sha256']}")


def with_smart_open(order: Order) -> None:
    smart_open: Any = import_module("smart_open")
    parameters = {"headers": order["headers"], "timeout": IDLE}
    with (
        smart_open.open(order["url"], "rb", compression="disable", transport_params=parameters) as answer,
        Path(order["path"]).open("wb") as file,
    ):
        shutil.copyfileobj(answer, file)


def with_pip(order: Order) -> None:
    session = import_module("pip._internal.network.session").PipSession(retries=RETRIES, resume_retries=RETRIES)
    session.timeout = IDLE
    session.headers.update(order["headers"])
    link = import_module("pip._internal.models.link").Link(order["url"])
    path = Path(order["path"])
    downloader = import_module("pip._internal.network.download").Downloader(session, "off")
    Path(downloader(link, str(path.parent))[0]).replace(path)


ENGINES: dict[str, Callable[[Order], None]] = {
    name.removeprefix("with_"): function for name, function in list(globals().items()) if name.startswith("with_")
}

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    try:
        ENGINES[sys.argv[1]](json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001 whatever the peer raises is its answer
        sys.stdout.write(type(error).__name__)
        sys.exit(1)

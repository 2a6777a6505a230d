"""One contender, one run, in a process of its own: the order comes as JSON on standard input, costs go out as JSON.

What is reported is the work alone, from after the imports to its end; the parent measures the whole process too.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

MIB = 1 << 20
Order = dict[str, Any]


def main() -> None:
    order: Order = json.load(sys.stdin)
    work = CONTENDERS[order["contender"]](order)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here (proc(5))
    wall, cpu = time.perf_counter(), _cpu()
    work()
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "over": _status("VmHWM") - before, "base": before}))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _status(name: str) -> float:
    """A line of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def ours(order: Order) -> Callable[[], None]:
    """Through `download`, with a vendor made up here whose jobs are the files that nginx serves."""
    import httpx

    from airflow_provider_batchdl.client import BatchClient
    from airflow_provider_batchdl.jobs import Job, JobState, ResultFile
    from airflow_provider_batchdl.transfer.download import Destination, download
    from airflow_provider_batchdl.vendors.account import Account
    from airflow_provider_batchdl.vendors.base import ApiRequest, Flow, RateLimit, Submission, Vendor, answer

    class Bench(Vendor):
        name = "bench"
        label = "Bench"
        default_host = "http://127.0.0.1"
        docs_url = "http://127.0.0.1"
        states: ClassVar[Mapping[str, JobState]] = {}
        poll_interval = 1.0
        rate_limits = (RateLimit(1_000_000, 1.0),)

        def auth(self) -> httpx.Auth:
            return httpx.Auth()

        def submit(self, submission: Submission) -> Flow[Job]:
            raise NotImplementedError

        def get_job(self, job_id: str) -> Flow[Job]:
            return answer(Job(job_id, JobState.SUCCEEDED, "done"))

        def result_request(self, job: Job, file: ResultFile) -> ApiRequest:
            return ApiRequest("download", "GET", f"/{job.id}", job_id=job.id)

        def check(self) -> Flow[str]:
            return answer("")

    fs = _filesystem(order)
    client = BatchClient(Bench(Account(order["base"], "", None, {})))

    def work() -> None:
        with client:
            for job, target in _jobs(order):
                download(client, job, Destination(fs, target, target), sha256=order["sha256"])

    return work


def _jobs(order: Order) -> Iterator[tuple[str, str]]:
    """Names on the server with their targets."""
    if order.get("count"):
        return ((f"small/{n}.csv", f"{order['target']}/{n}.csv") for n in range(order["count"]))
    return iter([(order["file"], order["target"])])


def _filesystem(order: Order) -> Any:
    if not order.get("s3"):
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()
    import s3fs

    return s3fs.S3FileSystem(endpoint_url=order["s3"], key="k", secret="s", client_kwargs=_verify(order))


def _verify(order: Order) -> dict[str, Any]:
    return {"region_name": "us-east-1", **({"verify": order["certificate"]} if order.get("certificate") else {})}


def _pool(order: Order) -> Any:
    import urllib3

    return urllib3.PoolManager(ca_certs=order.get("certificate"))


def urllib3_loop(order: Order) -> Callable[[], None]:
    pool = _pool(order)

    def work() -> None:
        digest = hashlib.sha256()
        with (
            pool.request("GET", f"{order['base']}/{order['file']}", preload_content=False) as response,
            open(order["target"], "wb", buffering=0) as target,  # noqa: PTH123
        ):
            while chunk := response.read(MIB):
                target.write(chunk)
                if order["sha256"]:
                    digest.update(chunk)

    return work


def requests_loop(order: Order) -> Callable[[], None]:
    import requests

    session = requests.Session()

    def work() -> None:
        url = f"{order['base']}/{order['file']}"
        with (
            session.get(url, stream=True, verify=order.get("certificate")) as response,
            open(order["target"], "wb", buffering=0) as target,  # noqa: PTH123
        ):
            target.writelines(response.iter_content(MIB))

    return work


def _httpx(order: Order) -> Any:
    import ssl

    import httpx

    certificate = order.get("certificate")
    return httpx.Client(verify=ssl.create_default_context(cafile=certificate) if certificate else True)


def httpx_loop(order: Order) -> Callable[[], None]:
    """One client; also for the many small files."""
    client = _httpx(order)

    def work() -> None:
        for name, path in _jobs(order):
            with (
                client.stream("GET", f"{order['base']}/{name}") as response,
                open(path, "wb", buffering=0) as target,  # noqa: PTH123
            ):
                target.writelines(response.iter_raw())

    return work


def boto3_upload(order: Order) -> Callable[[], None]:
    import boto3

    client = boto3.client(
        "s3", endpoint_url=order["s3"], aws_access_key_id="k", aws_secret_access_key="s", **_verify(order)
    )
    pool = _pool(order)

    def work() -> None:
        with pool.request("GET", f"{order['base']}/{order['file']}", preload_content=False) as response:
            client.upload_fileobj(response, "bench", "object")

    return work


def s3fs_open(order: Order) -> Callable[[], None]:
    fs, pool = _filesystem(order), _pool(order)

    def work() -> None:
        with (
            pool.request("GET", f"{order['base']}/{order['file']}", preload_content=False) as response,
            fs.open("bench/object", "wb") as target,
        ):
            shutil.copyfileobj(response, target, MIB)

    return work


def obstore_writer(order: Order) -> Callable[[], None]:
    from obstore import open_writer
    from obstore.store import S3Store

    certificate = order.get("certificate")
    options: dict[str, Any] = {"allow_http": True, "timeout": "600s"}
    if certificate:
        options["root_certificate"] = Path(certificate).read_bytes()
    pool = _pool(order)

    def work() -> None:
        store = S3Store(
            "bench", endpoint=order["s3"], access_key_id="k", secret_access_key="s", region="us-east-1",
            client_options=options, virtual_hosted_style_request=False,
        )  # fmt: skip
        with (
            pool.request("GET", f"{order['base']}/{order['file']}", preload_content=False) as response,
            open_writer(store, "object", buffer_size=8 * MIB, max_concurrency=4) as target,
        ):
            while chunk := response.read(MIB):
                target.write(chunk)

    return work


CONTENDERS: dict[str, Callable[[Order], Callable[[], None]]] = {
    "ours": ours,
    "urllib3": urllib3_loop,
    "requests": requests_loop,
    "httpx": httpx_loop,
    "boto3": boto3_upload,
    "s3fs": s3fs_open,
    "obstore": obstore_writer,
}

if __name__ == "__main__":
    main()

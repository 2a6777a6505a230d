"""The relay, the store, the ballast and the measured child of `make bench`, as real processes."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from bench import servers
from bench.ballast import Ballast
from bench.contenders import contender
from bench.measure import Contender, Cost, in_turn, programs, python
from bench.profiles import of

BODY = os.urandom(1 << 20)


@pytest.fixture
def source() -> Iterator[str]:
    """A server that has one file under every name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that hang up are among the tests

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetched(url: str, meet: Callable[[], object] = lambda: None) -> bytes:
    """The file; between the answer's head and its body, ``meet`` is called."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("GET", "/file")
        answer = connection.getresponse()
        meet()
        return answer.read()
    finally:
        connection.close()


def test_a_shaped_link_is_no_faster_than_its_cap_and_its_distance(source: str) -> None:
    rate, delay = 4_000_000, 0.05
    with servers.shaped(source, rate, delay) as link:
        began = time.monotonic()
        with ThreadPoolExecutor(3) as threads:
            all_at_once = threading.Barrier(3, timeout=20)
            bodies = list(threads.map(fetched, [link.url] * 3, [all_at_once.wait] * 3))
        took = time.monotonic() - began
    assert bodies == [BODY] * 3
    assert took >= len(BODY) / rate + 4 * delay - 0.02  # a handshake, a request, an answer; less what may be saved up
    assert link.counted["connections"] == link.counted["most"] == 3
    assert link.counted["answered"] > 3 * len(BODY)


def test_a_client_that_hangs_up_leaves_the_link_in_order(source: str) -> None:
    with servers.shaped(source, 1_000_000, 0.0) as link:
        connection = http.client.HTTPConnection(urlsplit(link.url).netloc, timeout=20)
        connection.request("GET", "/file")
        connection.getresponse().read(1000)
        connection.close()
        assert fetched(link.url) == BODY
    assert link.counted["connections"] == 2


def test_the_store_takes_objects_and_keeps_none() -> None:
    with servers.listening("discard.py") as (_, port):
        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="k",
            aws_secret_access_key="s",
        )  # fmt: skip
        client.put_object(Bucket="bench", Key="small", Body=b"few")
        client.upload_fileobj(io.BytesIO(bytes(20 << 20)), "bench", "large")
        with pytest.raises(client.exceptions.ClientError, match="404"):
            client.head_object(Bucket="bench", Key="large")


@pytest.mark.parametrize("name", ["ours", "urllib3", "requests", "httpx"])
def test_a_python_contender_lands_the_file_and_tells_its_costs(source: str, tmp_path: Path, name: str) -> None:
    target = tmp_path / "landed"
    cost = python(order(source, target, contender=name), os.environ).run()
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(BODY).digest()
    assert 0 < cost.wall < cost.process_wall
    assert cost.cpu < cost.process_cpu
    assert cost.peak > 10
    assert cost.wire > 1


def test_a_program_is_all_work() -> None:
    cost = programs([sys.executable, "-c", "b'x' * (64 << 20)"], ["true"], environment=os.environ).run()
    assert (cost.wall, cost.cpu) == (cost.process_wall, cost.process_cpu)
    assert cost.wall > 0


def test_a_program_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(RuntimeError, match="failed with 1"):
        programs(["false"], environment=os.environ).run()


def test_contenders_take_turns_each_from_a_clean_start() -> None:
    told: list[str] = []

    def named(name: str) -> Contender:
        def run() -> Cost:
            told.append(name)
            return Cost(1, 1, 1, 1, 1)

        return Contender(run, most_runs=1 if name == "slow" else 3)

    case = in_turn("c", {n: named(n) for n in ("a", "b", "slow")}, lambda: told.append("-"), Ballast(0), runs=3)
    assert told == ["-", "a", "-", "b", "-", "slow", "-", "b", "-", "a", "-", "a", "-", "b"]
    assert case.note == "3 runs each, 1 of slow"


def test_a_ballast_is_held_and_given_again_and_again() -> None:
    with Ballast(64) as ballast:
        for _ in range(2):
            ballast.hold()
            with ballast.given():
                assert len(bytearray(16 << 20)) == 16 << 20


def test_a_profile_sees_every_thread(source: str, tmp_path: Path) -> None:
    def work() -> None:
        thread = threading.Thread(target=contender("urllib3")(order(source, tmp_path / "landed")))
        thread.start()
        thread.join()
        sum(range(10_000_000))  # more than whatever the thread imports first: ten functions are listed

    told = of(work)
    assert "user" in told
    assert "builtins.sum" in told
    if sys.version_info < (3, 12):
        assert "urllib3/response.py" in told or "recv_into" in told
    assert str(Path.home()) not in told


def test_a_profile_counts_built_ins_with_their_package_and_system_calls_apart(tmp_path: Path) -> None:
    def work() -> None:
        for number in range(200):
            os.mkdir(tmp_path / str(number))  # noqa: PTH102 the call that is counted
        sorted(range(100_000), key=lambda n: -n)

    told = of(work)
    shares = {
        line.split("%")[1].strip() for line in told.splitlines() if line.endswith(("calls", "library")) and "%" in line
    }
    assert {"system calls", "Python's library"} <= shares
    assert "bench" in told


def order(source: str, target: Path, **more: object) -> dict[str, object]:
    return {"base": source, "file": "file", "target": str(target), "sha256": False, "certificate": None, **more}

"""The vendor of a scene: an emulated OpenAI Batch API with its faults, and the other hosts around it."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_batchdl.emulator import Emulator, Fault
from airflow_provider_batchdl.emulator.jobs import EmulatedJob
from bench.compare.scenes import CUT_AT, KEY_HEADER, SLOW_ANSWER, Scene
from bench.faults.hosts import Handler, serving

VENDOR = "openai_batch"
ALWAYS = 99
RUN_SECONDS = 4.0
"""How long a batch runs: longer than any engine takes to be restarted in its wait."""


@dataclass
class Stage:
    """A vendor that plays one scene.

    Attributes:
        emulator: the vendor.
        base_url: where its API is, without `/v1`.
        key: its API key.
        at_store: what the other host was sent: a request's headers and its URL, as text.
    """

    emulator: Emulator
    base_url: str
    key: str
    at_store: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> list[EmulatedJob]:
        """The batches at the vendor, in the order in which they were made."""
        return self.emulator.world.jobs(VENDOR)

    @property
    def requests(self) -> int:
        """How many requests the vendor and the store got."""
        return sum(record.vendor == VENDOR for record in self.emulator.requests) + len(self.at_store)

    @property
    def secrets_at_store(self) -> int:
        """How many requests to the other host had the key with them."""
        return sum(self.key in text for text in self.at_store)

    def result(self) -> bytes:
        """The result of the first batch; those of others are the same, for the same requests."""
        content = self.jobs[0].content(1)
        return b"".join(content.chunks(0, content.size))


@contextlib.contextmanager
def arranged(scene: Scene) -> Iterator[Stage]:
    """A vendor on loopback, with the scene's faults on order."""
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(Emulator(queue_seconds=0.2, run_seconds=RUN_SECONDS))
        key = emulator.credentials[VENDOR].password
        stage = Stage(emulator, emulator.urls[VENDOR], key)
        if scene.lost_submit:
            emulator.add_fault(Fault("reset", operation="submit", processed=True))
        if scene.restart:
            emulator.add_fault(
                Fault("stall", operation="submit", before_headers=True, seconds=SLOW_ANSWER, times=ALWAYS)
            )
        if scene.cut:
            emulator.add_fault(Fault("cut", operation="download", after_bytes=CUT_AT))
        if scene.elsewhere:
            location = stack.enter_context(_store(stage))
            emulator.add_fault(Fault("redirect", operation="download", location=location, times=ALWAYS))
        if scene.own_header:
            stage.base_url = stack.enter_context(_gateway(stage.base_url, key))
        yield stage


@contextlib.contextmanager
def _store(stage: Stage) -> Iterator[str]:
    """A host of its own that has the result; yields the result's URL."""

    class Store(Handler):
        def do_GET(self) -> None:  # noqa: N802 http.server's name
            stage.at_store.append(f"{self.path}\n{self.headers}")
            body = stage.result()
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Store) as origin:
        yield f"{origin}/result.jsonl"


@contextlib.contextmanager
def _gateway(base_url: str, key: str) -> Iterator[str]:
    """A host before the vendor that wants the key in a header of its own name; yields its URL."""
    vendor = urlsplit(base_url)

    class Gateway(Handler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passed = {name: self.headers[name] for name in ("Content-Type",) if name in self.headers}
            if self.headers.get(KEY_HEADER) == key:
                passed["Authorization"] = f"Bearer {key}"
            connection = http.client.HTTPConnection(str(vendor.hostname), vendor.port, timeout=30)
            with contextlib.closing(connection):
                connection.request(self.command, self.path, body, passed)
                answer = connection.getresponse()
                content = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Location"):
                if value := answer.headers.get(name):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:  # noqa: N802 http.server's name
            self._pass_on()

        def do_POST(self) -> None:  # noqa: N802
            self._pass_on()

    with serving(Gateway, "127.0.0.1") as origin:
        yield origin + vendor.path

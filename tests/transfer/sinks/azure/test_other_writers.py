"""Other writers of the same blob: one succeeds whole, and what a killed one left is not in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.transfer.sinks.azure import BLOCK
from tests.transfer.sinks.azure.containers import Container, written


@pytest.mark.parametrize("size", [0, 1000, 2 * BLOCK])
def test_create_only(container: Container, size: int) -> None:
    data = os.urandom(size)
    assert written(container.sink(create_only=True), data).publish() == container.etag()
    sink = written(container.sink(create_only=True), b"y" * (size + 1))
    with pytest.raises(DestinationError, match="exists already") as caught:
        sink.publish()
    assert not caught.value.retryable
    assert container.read() == data


@pytest.mark.parametrize("size", [1000, BLOCK + 1])
def test_of_many_who_create_one_object_one_succeeds(container: Container, size: int) -> None:
    contents = [bytes([65 + number]) * size for number in range(4)]
    sinks = [written(container.sink(create_only=True), content) for content in contents]
    for sink in sinks:
        sink.finalize()
    together = threading.Barrier(len(sinks))
    outcome: dict[int, str] = {}

    def publish(number: int) -> None:
        together.wait(30)
        try:
            sinks[number].publish()
            outcome[number] = "published"
        except DestinationError as error:
            outcome[number] = str(error)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(len(sinks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [winner] = [number for number, said in outcome.items() if said == "published"]
    assert container.read() == contents[winner]
    assert all("exists already" in outcome[number] for number in range(len(sinks)) if number != winner)


def test_two_writers_do_not_mix(container: Container) -> None:
    first, second = (written(container.sink(), letter * (2 * BLOCK + 1)) for letter in (b"a", b"b"))
    first.finalize()
    second.finalize()
    first.publish()
    with pytest.raises(DestinationError, match="Another writer has published") as caught:
        second.publish()
    assert caught.value.retryable
    assert container.read() == b"a" * (2 * BLOCK + 1)


def test_a_blob_of_another_kind_is_in_the_way(container: Container) -> None:
    container.client.get_blob_client("x").create_append_blob()
    with pytest.raises(DestinationError, match=r"InvalidBlobType.*append or page blob") as caught:
        written(container.sink(), b"x" * 2 * BLOCK).publish()
    assert not caught.value.retryable


def test_unfinished_uploads_of_another_form_are_in_the_way(container: Container) -> None:
    container.client.get_blob_client("x").stage_block("short", b"1")
    with pytest.raises(DestinationError, match="Others' unfinished uploads"):
        written(container.sink(), b"x" * 2 * BLOCK).publish()


_WRITER = """
import sys, time, adlfs
from airflow_provider_batchdl.transfer.sinks.factory import open_sink
fs = adlfs.AzureBlobFileSystem(connection_string=sys.stdin.readline().strip())
sink = open_sink(fs, sys.argv[1], "abfs://x")
sink.write(b"x" * (3 << 23))
sink.finalize()
print("sent", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("size", "create_only"), [(0, False), (1000, True), (2 * BLOCK, False), (2 * BLOCK, True)])
def test_a_killed_writer_leaves_nothing_visible_and_is_not_in_the_way(
    container: Container, size: int, create_only: bool
) -> None:
    command = [sys.executable, "-c", _WRITER, f"{container.name}/x"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(container.store.connection_string + "\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "sent\n"
        writer.kill()
    assert container.names() == []
    assert container.unfinished() == 3
    data = os.urandom(size)
    written(container.sink(create_only=create_only), data).publish()
    assert container.read() == data

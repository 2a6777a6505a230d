"""The file to submit, looked at before anything is sent: on a disk and on S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchdl import vendors
from airflow_provider_batchdl.exceptions import InvalidRequestError
from airflow_provider_batchdl.hooks._files import check_file
from airflow_provider_batchdl.vendors.account import Account
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.files import HEAD, FileFacts, FileRules, doubts_about
from tests.support.s3_bucket import Bucket, fresh_bucket, running_moto

ADDRESSES = FileRules(has_addresses=True, column="email")
MANY = "".join(f"u{number}@b.example\n" for number in range(5_000))


def revenuebase() -> Vendor:
    return vendors.vendor_class("revenuebase")(Account("https://api.example", "a-key", None, {}))


def said(name: str, content: str | bytes, rules: FileRules = ADDRESSES) -> list[tuple[bool, str]]:
    data = content if isinstance(content, bytes) else content.encode()
    return list(doubts_about(rules, FileFacts(name, len(data), data[:HEAD])))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "email\nada@b.example\n"),
        ("a.csv", "\ufeffEMAIL;name\nada@b.example;Ada\n"),
        ("a.csv", '"email","name"\n"ada@b.example","Ada, L."\n'),
        ("a.csv", "address\nada@b.example\n"),  # an address a row
        ("a.csv", "ada@b.example\ngrace@b.example\n"),
        ("a.csv", "email\nnot an address\n"),  # for the vendor to find invalid
        ("a.csv", "email\n" + MANY),
        ("a.csv", b"email,name\n" + "a@b.example,Ad\u00e4\n".encode() * HEAD),  # cut within a character
        ("a.txt", MANY),
        ("a.json", '[{"email": "ada@b.example"}]'),
        ("a.json", '["ada@b.example"]'),
        ("a.json", '{"email": "ada@b.example"}\n{"email": "grace@b.example"}\n'),
        ("a.json", json.dumps([{"email": address} for address in MANY.split()])),
    ],
)
def test_what_is_a_list_of_addresses(name: str, content: str | bytes) -> None:
    assert said(name, content) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "E-Mail,name\na@b.example,Ada\n", "('e-mail' may be meant)"),
        ("a.csv", "email,name\na@b.example,Ad\u00e4\n".encode("latin-1"), "is no UTF-8"),
        ("a.csv", "name,phone\n" + "Ada,1\n" * HEAD, "has no email address in its first 64 KiB"),
        ("a.json", '{"addresses": ["a@b.example"]}', "has no member 'email'"),
    ],
)
def test_what_may_be_one_is_only_warned_of(name: str, content: str | bytes, words: str) -> None:
    [(sure, found)] = said(name, content)
    assert not sure
    assert words in found


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\ufeff\n", "nothing but blanks"),
        ("a.csv", "email,name\n", "has a header and no row"),
        ("a.csv", "name\nAda\n", "no email address in it"),
        ("a.csv", "address;name\na@b.example;Ada\n", "no column 'email' among its 2"),
        ("a.csv", b"\x1f\x8b\x08", "it is gzip"),
        ("a.csv", b"email\n\x00\x01\n", "it is binary"),
        ("a.json", "[]", "has no rows"),
        ("a.json", "{}", "has no rows"),
        ("a.json", '[{"email": "a@b.example"}', "does not parse as JSON"),
        ("a.json", '[{"name": "Ada"}]', "no email address in it"),
        ("a.json", "[" * 10_000 + "@", "does not parse as JSON"),
    ],
)
def test_what_is_none_is_refused(name: str, content: str | bytes, words: str) -> None:
    found = said(name, content)
    assert [sure for sure, _ in found] == [True]
    assert words in found[0][1]


def test_a_vendors_limit() -> None:
    rules = FileRules(largest=10)
    assert said("a.bin", b"x" * 10, rules) == []
    assert said("a.bin", b"x" * 11, rules) == [(True, "has 11 bytes, and the vendor takes 10")]


def test_a_store_whose_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_batchdl.hooks import _storage

    monkeypatch.setattr(_storage, "_is_installed", lambda module: False)
    for _ in range(2):  # the first path attaches the scheme
        with pytest.raises(InvalidRequestError, match=r"gs:// files need .*airflow-provider-batchdl\[gcs\]"):
            check_file(revenuebase(), "gs://no-such/people.csv")


def test_a_pipe_is_not_read_from(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "people.csv")
    with pytest.raises(InvalidRequestError, match="a device or a pipe"):
        check_file(revenuebase(), str(tmp_path / "people.csv"))


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running_moto() as store, fresh_bucket(store) as bucket:
        extra = {"endpoint_url": store.endpoint_url, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": store.access_key, "password": store.secret_key, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_INPUTS_LAKE", json.dumps(connection))
        yield bucket


def test_on_s3(lake: Bucket) -> None:
    def put(key: str, content: Any) -> str:
        lake.client.put_object(Bucket=lake.name, Key=key, Body=content)
        return f"s3://inputs_lake@{lake.name}/{key}"

    vendor, root = revenuebase(), f"s3://inputs_lake@{lake.name}"
    check_file(vendor, put("folder.csv/people.csv", "email\n" + MANY))
    for source, words in (
        (f"{root}/no-such.csv", f"'{root}/no-such.csv', does not exist"),
        (f"s3://inputs_lake@no-such-{lake.name}/people.csv", "does not exist"),
        (f"{root}/folder.csv", "is a folder, and no file"),
        (put("empty.csv", b""), "is empty"),
        (put("other.csv", "address,name\na@b.example,Ada\n"), "has no column 'email'"),
        (put("big.csv", b"\x00" * 3 * HEAD), "is no text"),
        (put("people.txt", "a@b.example"), r"takes a file of .csv or .json, and not .txt"),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            check_file(vendor, source)
        assert words in str(caught.value)
        assert not caught.value.retryable

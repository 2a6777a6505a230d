from __future__ import annotations

from typing import Any

import msgspec
import pytest

from airflow_provider_batchdl.vendors.declared.calls import Pointer
from airflow_provider_batchdl.vendors.pointers import find, value_at

# RFC 6901, section 5.
DOCUMENT: dict[str, Any] = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
        ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_the_examples_of_the_rfc(pointer: str, value: Any) -> None:
    assert msgspec.convert(pointer, Pointer) == pointer
    assert find(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", ["/foo/2", "/foo/-", "/foo/01", "/foo/-1", "/foo/+1", "/foo/٣", "/bar", "/foo/0/x"])
def test_what_is_not_there(pointer: str) -> None:
    assert find(DOCUMENT, pointer) is None


def test_a_null_is_there() -> None:
    assert value_at({"a": None}, "/a", "nothing") is None
    assert value_at({"a": None}, "/b", "nothing") == "nothing"


@pytest.mark.parametrize("text", ["foo", "/~", "/~2", "#/foo", "/" + "a" * 600])
def test_what_is_no_pointer(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Pointer)


def test_of_several_the_first_that_finds_something_counts() -> None:
    assert find({"a": None, "b": 2, "c": 3}, ("/a", "/b", "/c")) == 2
    assert find({"a": False}, ("/a", "/b")) is False
    assert find({"a": 1}, ()) is None


def test_an_empty_text_is_nothing_and_other_empty_values_are_something() -> None:
    assert find({"a": "", "b": 2}, ("/a", "/b")) == 2
    assert find({"a": ""}, "/a") is None
    others: list[Any] = [0, False, [], {}]
    assert [find({"a": value}, "/a") for value in others] == others

"""What ``NO_PROXY`` means."""

from __future__ import annotations

import pytest

from airflow_provider_batchdl.client.environment.bypass import parse_no_proxy

API = "https://api.vendor.example/v1"


def covered(no_proxy: str, url: str) -> bool:
    return any(each.covers(url) for each in parse_no_proxy(no_proxy))


@pytest.mark.parametrize(
    ("no_proxy", "url", "expected"),
    [
        ("", API, False),
        ("*", API, True),
        ("other.example,*", API, True),
        # Names, for themselves and what is below.
        ("api.vendor.example", API, True),
        ("vendor.example", API, True),
        (".vendor.example", API, True),
        (".vendor.example", "https://vendor.example/", True),
        ("*.vendor.example", API, True),
        ("VENDOR.Example.", API, True),
        ("vendor.example", "https://API.VENDOR.EXAMPLE./x", True),
        ("endor.example", API, False),
        ("api.vendor.example.org", API, False),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("xn--bcher-kva.example", "https://bücher.example/", True),
        ("localhost", "http://localhost:8080/", True),
        # Commas and blanks between them, and too many of both.
        (" a.example ,, vendor.example, ", API, True),
        ("a.example vendor.example", API, True),
        ("a.example\tb.example\n", API, False),
        # Ports, a scheme's own too.
        ("api.vendor.example:443", API, True),
        ("api.vendor.example:8443", API, False),
        ("vendor.example:8443", "https://api.vendor.example:8443/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8081/", False),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]:8080", "http://[::1]/", False),
        ("10.0.0.0/8:80", "http://10.1.2.3/", True),
        ("*:8080", "http://a.example:8080/", True),
        ("*:8080", API, False),
        # Addresses and networks.
        ("127.0.0.1", "http://127.0.0.1/", True),
        ("10.0.0.0/8", "http://10.200.3.4:9000/k", True),
        ("10.1.2.3/8", "http://10.200.3.4/", True),
        ("10.0.0.0/255.0.0.0", "http://10.200.3.4/", True),
        ("10.0.0.0/8", "http://11.0.0.1/", False),
        ("10.0.0.0/8", API, False),
        ("0.0.0.0/0", "http://8.8.8.8/", True),
        ("::1", "http://[::1]:9000/", True),
        ("[::1]", "http://[::1]/", True),
        ("::1/128", "http://[::1]/", True),
        ("[fd00::]/8", "http://[fd12::1]/", True),
        ("fd00::/8", "http://[fe80::1]/", False),
        ("::1/128", API, False),
        ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/", True),
        ("0:0:0:0:0:0:0:1", "http://[::1]/", True),
        # A name's suffix is no address's.
        ("1", "http://127.0.0.1/", False),
        (".0.1", "http://127.0.0.1/", False),
        # With a scheme, as httpx reads it.
        ("https://vendor.example", API, True),
        ("http://vendor.example", API, False),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/x", True),
        ("all://vendor.example", API, True),
        # What is nothing covers nothing, and breaks nothing.
        ("10.0.0.0/33,::1/129,:,[],://,.,**,[::1", API, False),
        ("10.0.0.0/33", "http://10.0.0.1/", False),
        ("vendor.example:99999999", API, False),
    ],
)
def test_an_entry_covers(no_proxy: str, url: str, *, expected: bool) -> None:
    assert covered(no_proxy, url) is expected


@pytest.mark.parametrize("url", ["", "no url", "https://", "https://[::1", "https://host:port/", "file:///x"])
def test_what_is_no_url_is_covered_by_nothing_but_all(url: str) -> None:
    assert not covered("vendor.example,10.0.0.0/8,::1", url)


def test_an_entry_knows_how_it_was_written() -> None:
    assert [each.text for each in parse_no_proxy("a.example, 10.0.0.0/8 [::1]:80")] == [
        "a.example", "10.0.0.0/8", "[::1]:80",
    ]  # fmt: skip

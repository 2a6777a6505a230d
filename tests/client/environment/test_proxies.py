"""Which proxy a URL goes through, and what is said of one that is none."""

from __future__ import annotations

import base64
import importlib.util

import pytest

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl.client.environment import Proxies, Proxy, proxies
from airflow_provider_batchdl.exceptions import WorkerEnvironmentError

API = "https://api.vendor.example/v1"


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def proxy_for(url: str = API) -> Proxy | None:
    return Proxies.from_environment().proxy_for(url)


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({}, API, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, API, ("http://proxy.example:3128", "HTTPS_PROXY")),
        ({"https_proxy": "http://proxy.example:3128"}, API, ("http://proxy.example:3128", "https_proxy")),
        ({"Https_Proxy": "http://proxy.example:3128"}, API, ("http://proxy.example:3128", "Https_Proxy")),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, API, ("http://a:1", "https_proxy")),
        # An empty one is none, and in lower case it takes the other back.
        ({"HTTPS_PROXY": ""}, API, None),
        ({"HTTPS_PROXY": "  "}, API, None),
        ({"https_proxy": "", "HTTPS_PROXY": "http://b:2"}, API, None),
        ({"HTTPS_PROXY": "http://a:1"}, "http://api.vendor.example", None),
        ({"HTTP_PROXY": "http://a:1"}, API, None),
        ({"HTTP_PROXY": "http://a:1"}, "http://api.vendor.example", ("http://a:1", "HTTP_PROXY")),
        ({"ALL_PROXY": "http://a:1"}, API, ("http://a:1", "ALL_PROXY")),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:2"}, API, ("http://b:2", "HTTPS_PROXY")),
        # Under CGI, a client could set it by a header (https://httpoxy.org).
        ({"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, "http://api.vendor.example", None),
        # As requests and curl read what is not quite a URL.
        ({"HTTPS_PROXY": "proxy.example:3128"}, API, ("http://proxy.example:3128", "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "//proxy.example:3128"}, API, ("http://proxy.example:3128", "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "proxy.example"}, API, ("http://proxy.example:80", "HTTPS_PROXY")),
        ({"HTTPS_PROXY": " HTTP://Proxy.Example/ "}, API, ("http://proxy.example:80", "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "https://proxy.example"}, API, ("https://proxy.example:443", "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "http://[fd00::1]:3128"}, API, ("http://[fd00::1]:3128", "HTTPS_PROXY")),
        # Exceptions.
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "vendor.example"}, API, None),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "vendor.example"}, API, None),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "", "NO_PROXY": "*"}, API, ("http://a:1", "HTTPS_PROXY")),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "localhost,::1/128"}, API, ("http://a:1", "HTTPS_PROXY")),
    ],
)
def test_the_proxy_of_a_url(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, expected: tuple[str, str] | None
) -> None:
    set_all(monkeypatch, variables)
    found = proxy_for(url)
    assert (found and (found.url, found.variable)) == expected


@pytest.mark.parametrize(
    ("userinfo", "username", "password"),
    [
        ("me:se%40cret%2Fpass%3A1@", "me", "se@cret/pass:1"),
        ("d%5Cme:p%C3%A4ss-w%C3%B6rd@", "d\\me", "päss-wörd"),
        ("me:p@ss@word@", "me", "p@ss@word"),  # the last @ counts, as urllib3 reads it
        ("me:100%@", "me", "100%"),
        ("me:with+plus@", "me", "with+plus"),
        ("only-a-token@", "only-a-token", ""),
        ("me:@", "me", ""),
    ],
)
def test_credentials_are_read_once_and_shown_never(
    monkeypatch: pytest.MonkeyPatch, userinfo: str, username: str, password: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{userinfo}proxy.example:3128")
    found = proxy_for()
    assert found is not None
    assert (found.username, found.password) == (username, password)
    assert found.authorization == "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    assert found.shown == "http://***@proxy.example:3128"
    assert found.url == "http://proxy.example:3128"
    secret = password or username
    for text in (repr(found), repr(Proxies.from_environment()), found.shown, redact(f"The password is {secret}.")):
        assert secret not in text or len(secret) < 5


@pytest.mark.parametrize("value", ["http://", "http://:3128", "http://host:port", "http://host:0", "http://host:99999",
    "http://[::1", "http://a b.example:3128", "http://proxy.exa\nmple", "http://me:pa/ss@proxy.example:3128",
    "http://me:pa#ss@proxy.example:3128", f"http://{'a' * 64}.example", "ftp://proxy.example", "socks4://proxy.example",
    "http://me:12/3@proxy.example", "http://me:12#3@proxy.example", "http://me:12?3@proxy.example",
    "file:///proxy", "3128://x", "://proxy.example", "http://corp%3Ame:secret@proxy.example"])  # fmt: skip
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_what_is_no_proxy_is_said_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    found = Proxies.from_environment()
    for act, argument in ((found.proxy_for, API), (found.check, "https"), (found.check, "http")):
        with pytest.raises(WorkerEnvironmentError) as caught:
            act(argument)
        assert caught.value.message.startswith(f"The environment variable {variable} ")
        assert caught.value.message.count(". ") == 0
        assert "pa" not in caught.value.message.split()
        assert f"Set {variable}" in str(caught.value)
        assert not caught.value.retryable


def test_only_what_may_be_used_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "ftp://nothing")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("ALL_PROXY", "ftp://nothing")
    Proxies.from_environment().check("https")
    with pytest.raises(WorkerEnvironmentError, match="HTTP_PROXY"):
        Proxies.from_environment().check("http")
    monkeypatch.setenv("NO_PROXY", "*")
    Proxies.from_environment().check("http")


@pytest.mark.parametrize("missing", ["socksio", "socks"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS5"])
def test_socks_needs_its_packages(monkeypatch: pytest.MonkeyPatch, missing: str, scheme: str) -> None:
    monkeypatch.setattr(proxies, "find_spec", lambda name: None if name == missing else importlib.util.find_spec("os"))
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://me:password-1@proxy.example")
    with pytest.raises(
        WorkerEnvironmentError, match=r"ALL_PROXY .* SOCKS .*airflow-provider-batchdl\[socks\]"
    ) as caught:
        Proxies.from_environment().check("https")
    assert "password-1" not in str(caught.value)
    monkeypatch.setattr(proxies, "find_spec", lambda _: importlib.util.find_spec("os"))
    found = proxy_for()
    assert found is not None
    assert found.url == "socks5://proxy.example:1080"


def test_the_systems_own_settings_are_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS ``urllib.request`` reads them where the environment names no proxy."""
    monkeypatch.setattr(proxies, "getproxies", lambda: {"https": "http://proxy.example:8080"})
    found = proxy_for()
    assert found is not None
    assert found.variable == "the system's settings"

"""What a connection's host, schema and port fields mean."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchdl.vendors.account import origin
from airflow_provider_batchdl.vendors.hosts import NoBaseUrlError, base_url

DEFAULT = "https://api.example/v1"


@pytest.mark.parametrize(
    ("host", "schema", "port", "url"),
    [
        (None, None, None, DEFAULT),
        ("", None, None, DEFAULT),
        ("  ", "", 0, DEFAULT),
        (None, None, 8443, "https://api.example:8443/v1"),
        # Of the vendor's own host, the path may be left out.
        ("api.example", None, None, DEFAULT),
        ("https://API.example/", None, None, DEFAULT),
        ("https://api.example/v1/", None, None, DEFAULT),
        (" https://api.example/v1\n", None, None, DEFAULT),
        ("\ufeffhttps://api.example/v1\u200b", None, None, DEFAULT),
        ("https://api.example:443", None, None, "https://api.example:443/v1"),
        ("h.example", None, None, "https://h.example"),
        ("h.example", "http", None, "http://h.example"),
        ("h.example", "HTTP", None, "http://h.example"),
        ("h.example", "https", 8443, "https://h.example:8443"),
        ("h.example", "", 0, "https://h.example"),
        ("h.example:0", "", 0, "https://h.example"),
        ("h.example:81", "http", 81, "http://h.example:81"),
        ("h.example:81", "http", 0, "http://h.example:81"),
        ("h.example/a/b/", None, None, "https://h.example/a/b"),
        (" https://h.example/a// ", None, None, "https://h.example/a"),
        ("HTTP://H.Example/Path", "https", None, "http://h.example/Path"),
        ("https://h.example", "http", None, "https://h.example"),
        ("https://h.example/", None, 444, "https://h.example:444"),
        ("http://[::1]:8080/x", None, None, "http://[::1]:8080/x"),
        ("[::1]", "http", 8080, "http://[::1]:8080"),
        ("http://127.0.0.1", None, None, "http://127.0.0.1"),
        ("bücher.example", None, None, "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example:8443/x", None, None, "https://xn--bcher-kva.example:8443/x"),
        ("straße.example", "http", 81, "http://xn--strae-oqa.example:81"),
        ("https://h.example/?", None, None, "https://h.example"),
        # Airflow puts the path of a connection that is written as a URI into the schema.
        ("http://127.0.0.1", "proofy/v1", 8080, "http://127.0.0.1:8080/proofy/v1"),
        ("api.example", "v1", None, DEFAULT),
        ("", "v1/", None, DEFAULT),
    ],
)
def test_forms_of_a_host(host: str | None, schema: str | None, port: int | None, url: str) -> None:
    assert base_url(host, DEFAULT, schema=schema, port=port) == url


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("https://user:pass@h.example", "an '@'"), ("user@h.example", "an '@'"),
        ("https://h.example@evil.example", "an '@'"), ("ftp://h.example", "begins with 'ftp://'"),
        ("htps://h.example", "begins with 'htps://'"), ("file:///etc/passwd", "begins with 'file://'"),
        ("https://", "no base URL"), ("https:///path", "no base URL"), ("https://h.example?a=pass", "a query"),
        ("h.example?a=b", "a query"), ("https://h.example/#x", "a fragment"), ("https://h:port", "a port"),
        ("https://h:99999", "a port"), ("https://[::1", "no base URL"), ("::1", "no base URL"),
        ("mailto:x@y.example", "an '@'"), ("h.example/a b", "no base URL"), ("h.exa\tmple", "no base URL"),
        ("https://h.example\n.evil.example", "no base URL"), ("https://h.example\\evil", "no base URL"),
        ("https://a..b", "no base URL"), ("https://" + "a" * 64 + ".example", "no base URL"),
        ("https://ü..b", "no base URL"), ("https://\uff11\uff12\uff17.0.0.1", "no base URL"),
        ("javascript:alert(1)", ""), ("https://h.example\x00", "no base URL"), ("//h.example://x", "begins with"),
        ("https://https://h.example", "'://' in it twice"), ("http://https://h.example", "'://' in it twice"),
        ("https:/h.example", "no base URL"), ("https:h.example", "no base URL"),
        ("https//h.example", "no base URL"), ("https", "no base URL"),
        ("<your host>", "no base URL"), ("<host>", "no base URL"), ("{{ host }}", "no base URL"),
        ("https://h.example/a//b", "no base URL"), ("https://h.example/a/../b", "no base URL"),
        ("https://api.example/v2", "has the path '/v2', and this API's is '/v1', or none"),
        ("https://api.example/V1", "has the path '/V1', and this API's is '/v1', or none"),
        ("api.example/v1/v1", "has the path '/v1/v1'"), ("https://API.example/jobs", "has the path '/jobs'"),
    ],
)  # fmt: skip
def test_what_is_no_base_url(host: str, says: str) -> None:
    with pytest.raises(NoBaseUrlError) as caught:
        base_url(host, DEFAULT)
    assert says in str(caught.value)
    assert caught.value.field == "host"
    assert "pass" not in str(caught.value)  # nor what stands in it


@pytest.mark.parametrize(
    ("host", "schema", "port", "field"),
    [
        ("h.example", "ftp", None, "schema"),
        ("h.example", "a b", None, "schema"),
        ("h.example", "v1?x=y", None, "schema"),
        ("h.example", "../v1", None, "schema"),
        ("h.example/v1", "v1", None, "schema"),
        ("", "v2", None, "schema"),
        ("h.example:81", None, 82, "port"),
        ("h.example", None, 70_000, "port"),
        ("h.example", None, -1, "port"),
    ],
)
def test_what_no_schema_or_port_is(host: str, schema: str | None, port: int | None, field: str) -> None:
    with pytest.raises(NoBaseUrlError) as caught:
        base_url(host, DEFAULT, schema=schema, port=port)
    assert caught.value.field == field


def test_an_api_without_a_path_says_so() -> None:
    with pytest.raises(NoBaseUrlError, match=r"has the path '/2.11', and this API's is none"):
        base_url("https://api.batch.example/2.11", "https://api.batch.example")


@given(st.text(max_size=60), st.none() | st.text(max_size=6), st.none() | st.integers(0, 65535))
def test_any_host_is_a_url_or_refused(host: str, schema: str | None, port: int | None) -> None:
    try:
        url = base_url(host, DEFAULT, schema=schema, port=port)
    except NoBaseUrlError:
        return
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert not url.endswith("/")
    assert "@" not in parts.netloc
    assert base_url(url, DEFAULT) == url
    assert origin(url) == origin(url + "/x?y")

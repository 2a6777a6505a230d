"""Connections of type ``batchapi``: the extra names the vendor, and nothing that one document says reaches another."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_batchdl.client.throttle import throttle_for
from airflow_provider_batchdl.exceptions import InvalidConnectionError
from airflow_provider_batchdl.jobs import JobState
from airflow_provider_batchdl.vendors.base import Vendor
from airflow_provider_batchdl.vendors.connections import Fields, vendor_of
from tests.vendors.declared.documents import SMALLEST, changed

HTTPS = "https://api.acme.example"


def vendor(extra: dict[str, Any], **fields: Any) -> Vendor:
    given = {"password": "made-up-key-0001", **fields}
    return vendor_of(Fields("acme_default", "batchapi", extra=json.dumps(extra), **given))


def refusal(extra: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(InvalidConnectionError) as caught:
        vendor(extra, **fields)
    return str(caught.value)


@pytest.mark.parametrize("document", [SMALLEST, json.dumps(SMALLEST)], ids=["object", "text"])
def test_the_document_in_the_extra(document: Any) -> None:
    acme = vendor({"vendor_document": document, "poll_interval": 5})
    assert (acme.name, acme.label, acme.account.base_url) == ("acme", "Acme", HTTPS)
    assert dict(acme.account.extra) == {"poll_interval": 5}


def test_the_document_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    path.write_text(json.dumps(SMALLEST))
    assert vendor({"vendor_file": f" {path}\n"}).name == "acme"


# A path is of use to its end.
LONG_PATH = f"/nowhere/{'deep/' * 40}acme.toml"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({}, "names no vendor."),
        ({"vendor_flie": "x"}, "names no vendor: instead of 'vendor_flie', did you mean 'vendor_file'?"),
        ({"vendor_document": ""}, "names no vendor."),
        ({"vendor": "x", "vendor_file": "y"}, "has vendor and vendor_file, which each name a vendor"),
        ({"vendor": "no_such"}, "cannot be used: no bundled document is called 'no_such'; there are"),
        ({"vendor_file": LONG_PATH}, f"{LONG_PATH} cannot be read (FileNotFoundError)"),
        ({"vendor_document": 7}, "it is neither an object nor text"),
        ({"vendor_document": changed(lable="x")}, "there is no member 'lable' here (did you mean 'label'?)"),
        ({"vendor_document": changed(name="proofy")}, "name: 'proofy' is that of a built-in vendor"),
        ({"vendor_document": changed(base_url=None)}, "The host of Airflow connection 'acme_default' is empty."),
        ({"vendor_document": SMALLEST, "poll_intervall": 3}, "did you mean 'poll_interval'"),
    ],
)
def test_a_connection_that_cannot_be_used(extra: dict[str, Any], words: str) -> None:
    assert words in refusal(extra)


def test_the_label_in_errors_is_the_documents() -> None:
    assert "Put Acme's key, secret or token into its password field." in refusal(
        {"vendor_document": SMALLEST}, password=""
    )


# Trust.


def test_a_connection_cannot_name_hosts_that_may_see_the_token() -> None:
    auth = {"kind": "oauth2", "token_path": "/token", "base_url_pointer": "/url", "base_url_hosts": ["evil.example"]}
    words = refusal({"vendor_document": changed(auth=auth)}, login="me")
    assert "cannot name hosts that may see the token" in words


def test_a_file_alone_cannot_say_where_the_secret_goes(tmp_path: Path) -> None:
    """Others may write it."""
    (tmp_path / "acme.json").write_text(
        json.dumps(changed(auth={"kind": "oauth2", "token_url": "https://login.acme.example/token"}))
    )
    extra = {"vendor_file": str(tmp_path / "acme.json")}
    for blank in ({}, {"token_url": " "}):
        assert 'set the connection extra "token_url", too' in refusal(extra | blank, login="me")
    assert vendor({**extra, "token_url": "https://login.acme.example/token"}, login="me").name == "acme"


@pytest.mark.parametrize("content", ["root:x:0:0:root:/root:/bin/bash\n", '{"password": "hunter2-hunter2"', "\x00\xff"])
def test_a_file_that_is_no_document_is_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "passwd"
    path.write_bytes(content.encode("latin-1"))
    words = refusal({"vendor_file": str(path)})
    assert "root" not in words.replace(str(path), "")
    assert "hunter2" not in words


def test_holes_reach_no_member_that_the_document_does_not_declare() -> None:
    document = changed(headers={"X-Else": "{extra.other}"})
    assert "{extra.other} is no member that [extra] names" in refusal({"vendor_document": document, "other": "secret"})


# Two connections.


def test_two_documents_of_one_name_and_key_share_nothing(caplog: pytest.LogCaptureFixture) -> None:
    quick = changed(rate_limits=["1000/1"], label="Quick", states={**SMALLEST["states"], "odd": "failed"})
    slow = changed(rate_limits=["1/60"], label="Slow")
    one, two = vendor({"vendor_document": quick}), vendor({"vendor_document": slow})
    assert one.account.base_url == two.account.base_url
    assert one.account.secret == two.account.secret
    assert one.account.fingerprint != two.account.fingerprint  # of tokens, pollers and rate limits
    assert [throttle_for(each).limits[0].requests for each in (one, two)] == [1000, 1]
    assert (one.label, two.label) == ("Quick", "Slow")
    assert one.state_of("odd") is JobState.FAILED
    with caplog.at_level(logging.WARNING):
        assert two.state_of("odd") is JobState.RUNNING
    assert "Slow reports the unknown job state 'odd'" in caplog.text


def test_one_document_in_two_connections_is_one_account() -> None:
    one, two = vendor({"vendor_document": SMALLEST}), vendor({"vendor_document": json.dumps(SMALLEST)})
    assert one.account == two.account
    assert throttle_for(one) is throttle_for(two)


# HTTP Basic (RFC 7617, section 2).

BASIC = {"vendor_document": changed(auth={"kind": "basic"})}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": "corp:me"}, "The login of Airflow connection 'acme_default' has a ':' in it, which ends the login"),
        ({"login": ":me"}, "The login of Airflow connection 'acme_default' has a ':' in it"),
        ({"password": "me:made-up-key-0001"}, "The password of Airflow connection 'acme_default' has a ':' in it"),
        ({"login": "m\ne"}, "The login of Airflow connection 'acme_default' has a control character in it"),
        ({"login": "me", "password": "made\x00up"}, "The password of Airflow connection 'acme_default' has a control"),
        ({"login": "me", "password": "made\x7fup"}, "has a control character in it"),
    ],
)
def test_a_login_that_basic_authentication_cannot_send(fields: dict[str, str], words: str) -> None:
    found = refusal(BASIC, **fields)
    assert words in found
    assert fields.get("password", "made-up-key-0001") not in found


@pytest.mark.parametrize(
    ("fields", "pair"),
    [
        ({"login": "me", "password": "a:b: c"}, "me:a:b: c"),
        ({"login": "mé", "password": "pass wörd"}, "mé:pass wörd"),
        ({"login": " me\n", "password": "\tmade-up "}, "me:made-up"),
        ({}, "made-up-key-0001:"),
    ],
)
def test_what_it_sends(fields: dict[str, str], pair: str) -> None:
    request = httpx.Request("GET", HTTPS)
    next(vendor(BASIC, **fields).auth().sync_auth_flow(request))
    scheme, _, coded = request.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(coded).decode()) == ("Basic", pair)

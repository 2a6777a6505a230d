"""What the fields of a connection may hold; each mistake shows in one sentence that names connection and field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_batchdl.emulator import Emulator
from airflow_provider_batchdl.exceptions import AuthenticationError, InvalidConnectionError
from airflow_provider_batchdl.hooks._account import open_source, vendor_for
from airflow_provider_batchdl.hooks.base import BatchApiHook
from airflow_provider_batchdl.hooks.batchcom import BatchComHook
from airflow_provider_batchdl.hooks.proofy import ProofyHook
from tests.support.airflow_features import needs_any_extra
from tests.support.leaks import find_secrets

Connect = Any


@pytest.fixture
def connect(connections: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make the connection ``mine`` of the emulator's one of a vendor, with other members; None takes one away."""

    def connect(vendor: str, **members: Any) -> str:
        value = connections.connections()[f"{vendor}_default"]
        extra = members.pop("extra", {})
        value["extra"] = {**value["extra"], **extra} if isinstance(extra, dict) else extra
        value = {name: each for name, each in {**value, **members}.items() if each is not None}
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(value))
        return "mine"

    return connect


def odd_extra(extra: str, says: str) -> Any:
    return pytest.param("proofy", {"extra": extra}, "extra", says, marks=needs_any_extra)


def refusal(conn_id: str) -> InvalidConnectionError:
    """The error over a connection, which every way into it must raise alike."""

    async def wait() -> None:
        async with BatchApiHook.for_connection(conn_id):
            pass

    errors = []
    for use in (lambda: BatchApiHook.for_connection(conn_id).get_conn(), lambda: asyncio.run(wait())):
        with pytest.raises(InvalidConnectionError) as caught:
            use()
        errors.append(caught.value)
    words = BatchApiHook.for_connection(conn_id).test_connection()
    assert words == asyncio.run(BatchApiHook.for_connection(conn_id).atest_connection())
    assert {str(each) for each in errors} == {words[1]}
    assert words[0] is False
    assert not find_secrets(words[1])
    assert "\n" not in words[1]
    return errors[0]


@pytest.mark.parametrize(
    ("vendor", "members", "field", "says"),
    [
        odd_extra("[1, 2]", "is JSON, but a list instead of an object"),
        odd_extra('"{}"', "is JSON, but text instead of an object"),
        odd_extra('{"a": ', "is no JSON: Expecting value, at line 1, column 7"),
        ("batchcom", {"extra": {"project_kye": "x"}}, "extra field 'project_kye'", "did you mean 'project_key'?"),
        ("proofy", {"extra": {"polinterval": 5}}, "extra field 'polinterval'", "did you mean 'poll_interval'?"),
        ("proofy", {"extra": {"interval": 5}}, "extra field 'interval'", "did you mean"),
        ("proofy", {"extra": {"Rate-Limit": "1/1"}}, "extra field 'Rate-Limit'", "did you mean 'rate_limit'?"),
        ("proofy", {"extra": {"status": {}}}, "extra field 'status'", "did you mean 'states'?"),
        ("revenuebase", {"extra": {"version": "v2"}}, "extra field 'version'", "did you mean 'api_version'?"),
        ("apartmentiq", {"extra": {"tokenUrl": "/x"}}, "extra field 'tokenUrl'", "did you mean 'token_url'?"),
        ("batchcom", {"extra": {"api_version": 2.1}}, "extra field 'api_version'", "is 2.1, a number, where text"),
        ("batchcom", {"extra": {"api_version": "latest"}}, "extra field 'api_version'", "is 'latest', and no version"),
        ("batchcom", {"extra": {"api_version": "v2.11"}}, "extra field 'api_version'", "is 'v2.11', and no version"),
        ("revenuebase", {"extra": {"api_version": 2}}, "extra field 'api_version'", "is 2, a number"),
        ("revenuebase", {"extra": {"api_version": "v7"}}, "extra field 'api_version'", "there are only v2 and v1"),
        ("revenuebase", {"extra": {"api_version": True}}, "extra field 'api_version'", "is True, true or false"),
        ("batchcom", {"extra": {"project_key": 12345678}}, "extra field 'project_key'", "is a number, where text"),
        ("batchcom", {"extra": {"project_key": ["p"]}}, "extra field 'project_key'", "is a list, where text"),
        ("batchcom", {"extra": {"project_key": None}}, "extra field 'project_key'", "is missing"),
        ("batchcom", {"extra": {"project_key": " "}}, "extra field 'project_key'", "is missing"),
        ("batchcom", {"extra": {"project_key": "project\n_1"}}, "extra field 'project_key'", "a line break in the"),
        ("batchcom", {"extra": {"project_key": "***"}}, "extra field 'project_key'", "is the mask"),
        ("apartmentiq", {"extra": {"token_url": 5}}, "extra field 'token_url'", "is 5, a number"),
        ("apartmentiq", {"extra": {"token_url": "oauth/token"}}, "extra field 'token_url'", "neither a URL nor a path"),
        ("apartmentiq", {"extra": {"token_url": "https://u:hunter2@h"}}, "extra field 'token_url'", "an '@'"),
        ("proofy", {"extra": {"poll_interval": "soon"}}, "extra field 'poll_interval'", "is 'soon', and no number"),
        ("proofy", {"extra": {"poll_interval": 0}}, "extra field 'poll_interval'", "is 0, and no number"),
        ("proofy", {"extra": {"poll_interval": "-3"}}, "extra field 'poll_interval'", "is '-3', and no number"),
        ("proofy", {"extra": {"poll_interval": "nan"}}, "extra field 'poll_interval'", "is 'nan', and no number"),
        ("proofy", {"extra": {"poll_interval": "inf"}}, "extra field 'poll_interval'", "is 'inf', and no number"),
        ("proofy", {"extra": {"poll_interval": 1e300}}, "extra field 'poll_interval'", "is 1e+300, and no number"),
        ("proofy", {"extra": {"poll_interval": True}}, "extra field 'poll_interval'", "is True, and no number"),
        ("proofy", {"extra": {"max_poll_interval": {}}}, "extra field 'max_poll_interval'", "is {}, and no number"),
        ("proofy", {"extra": {"rate_limit": "60"}}, "extra field 'rate_limit'", "is '60', and no rate limit"),
        ("proofy", {"extra": {"rate_limit": 60}}, "extra field 'rate_limit'", "is 60, and no rate limit"),
        ("proofy", {"extra": {"states": {"done": "ok"}}}, "extra field 'states'", "cannot be used"),
        ("proofy", {"extra": {"states": ["done"]}}, "extra field 'states'", "cannot be used"),
        ("proofy", {"password": None}, "password", "is empty"),
        ("proofy", {"password": " \n"}, "password", "is empty"),
        ("proofy", {"password": "********"}, "password", "is the mask"),
        ("proofy", {"password": "'pf_1234567890'"}, "password", "is in quotation marks"),
        ("batchcom", {"password": "Bearer rest_1234567890"}, "password", "begins with a header's name"),
        ("proofy", {"password": "https://apis.proofy.io/v1/credits?api_key=hunter2hunter2"}, "password", "is a URL"),
        ("proofy", {"password": "api_key=pf_1234567890"}, "password", "begins with a header's name"),
        ("revenuebase", {"password": "X-Api-Key:rb_1234567890"}, "password", "begins with a header's name"),
        ("revenuebase", {"password": '{"key":"rb_1234567890"}'}, "password", "is in braces"),
        ("revenuebase", {"password": "rb_123 4567890"}, "password", "has a blank or a line break in the middle"),
        ("revenuebase", {"password": "rb_123\n4567890"}, "password", "has a blank or a line break in the middle"),
        ("revenuebase", {"password": "rb_12…34567890"}, "password", "is not ASCII"),
        ("apartmentiq", {"login": "my client"}, "login", "has a blank or a line break in the middle"),
        ("proofy", {"host": "https://someone:hunter2hunter2@example.com"}, "host", "credentials do not belong there"),
        ("proofy", {"host": "https://example.com/v1?api_key=hunter2hunter2"}, "host", "a query"),
        ("proofy", {"host": "https://https://apis.proofy.io/v1"}, "host", "'://' in it twice"),
        ("proofy", {"host": "https://apis.proofy.io/v2"}, "host", "has the path '/v2', and this"),
        ("batchcom", {"host": "api.batch.com/2.11"}, "host", "has the path '/2.11', and this API's is none"),
        ("proofy", {"host": "http://127.0.0.1:80", "port": 81}, "port", "is 81, and the host says 80"),
        ("proofy", {"host": "h.example", "schema": "ftp"}, "schema", "is neither http nor https"),
        ("proofy", {"host": "h.example/v1", "schema": "hunter2hunter2"}, "schema", "has a path in it"),
        ("proofy", {"schema": "hunter2hunter2"}, "schema", "has a path in it"),
        ("proofy", {"conn_type": "postgres"}, "type", "is 'postgres', which is no batch API's"),
        ("proofy", {"conn_type": "Batch.com"}, "type", "did you mean 'batchcom'?"),
        ("proofy", {"conn_type": None}, "type", "is missing"),
    ],
)  # fmt: skip
def test_a_wrong_field(
    connect: Connect, connections: Emulator, vendor: str, members: dict[str, Any], field: str, says: str
) -> None:
    error = refusal(connect(vendor, **members))
    assert error.message.startswith(f"The {field} of Airflow connection 'mine' ")
    assert says in error.message
    assert error.remedy
    assert error.conn_id == "mine"
    assert not error.retryable
    assert "hunter2" not in str(error)
    assert "?." not in str(error)
    assert not connections.requests


@pytest.mark.parametrize(
    ("vendor", "members"),
    [
        ("proofy", {"extra": None}),
        ("proofy", {"extra": ""}),
        ("proofy", {"extra": {"poll_interval": 30, "max_poll_interval": "60", "rate_limit": " 600 / 60 "}}),
        ("batchcom", {"extra": {"api_version": None, "poll_interval": ""}}),
        ("batchcom", {"extra": {"api_version": " 2.11\n"}}),
        ("revenuebase", {"extra": {"api_version": "V2"}}),
        ("apartmentiq", {"extra": {"token_url": "/oauth/token"}}),
        ("proofy", {"port": 0, "schema": "", "login": ""}),
    ],
)
def test_what_is_all_right(connect: Connect, vendor: str, members: dict[str, Any]) -> None:
    good, words = BatchApiHook.for_connection(connect(vendor, **members)).test_connection()
    assert good, words
    assert "Ignored" not in words


@pytest.mark.parametrize("around", ["{}\n", " {} ", "\r\n{}\r\n", "\t{}", "\ufeff{}", "{}\u200b", "{}\u00a0"])
@pytest.mark.parametrize("vendor", ["revenuebase", "proofy", "batchcom", "apartmentiq"])
def test_what_clings_to_a_pasted_word_goes(connect: Connect, connections: Emulator, vendor: str, around: str) -> None:
    value = connections.connections()[f"{vendor}_default"]
    pasted = {name: around.format(value[name]) for name in ("host", "password", "login") if value[name]}
    extra = {name: around.format(each) for name, each in value["extra"].items()}
    good, words = BatchApiHook.for_connection(connect(vendor, **pasted, extra=extra)).test_connection()
    assert good, words


def test_members_of_others_are_left_alone_and_named(connect: Connect) -> None:
    """Whoever manages connections may write their own into every extra."""
    extra = {"managed_by": "terraform", "team": "data", "openlineage": {"namespace": "x"}, "extra__http__timeout": "5"}
    good, words = BatchApiHook.for_connection(connect("batchcom", extra=extra)).test_connection()
    assert good
    assert words.endswith("Ignored unknown extra fields: managed_by, team, openlineage, extra__http__timeout.")


def test_a_name_that_is_alike_is_somebody_elses_where_the_right_one_is_there(connect: Connect) -> None:
    extra = {"key": "of-another-tool", "project": "of-another-tool"}
    assert BatchApiHook.for_connection(connect("batchcom", extra=extra)).test_connection()[0]


def test_the_name_of_a_field_as_airflow_2_wrote_it(connect: Connect) -> None:
    extra = {"project_key": None, "extra__batchcom__project_key": "project_0001"}
    assert "did you mean 'project_key'?" in str(refusal(connect("batchcom", extra=extra)))


def test_a_key_in_the_login_field(connect: Connect) -> None:
    error = refusal(connect("proofy", login="pf_0123456789", password=None))
    assert "Its login field has something in it, which may be that." in str(error)


@pytest.mark.parametrize(
    ("hook", "other"), [(ProofyHook, "batchcom"), (BatchComHook, "proofy"), (ProofyHook, "postgres")]
)
def test_a_hook_of_another_vendor(connect: Connect, connections: Emulator, hook: Any, other: str) -> None:
    conn_id = connect("proofy", conn_type=other)
    with pytest.raises(InvalidConnectionError) as caught:
        hook(conn_id).get_conn()
    says = f"The type of Airflow connection 'mine' is {other!r}, and {hook.conn_type!r} is needed here."
    assert caught.value.message == says
    assert not connections.requests


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"conn_type": ', "is no JSON: Expecting value, at line 1, column 14"),
        ('{"conn_type": "proofy", "port": "abc"}', "has a port that is no number"),
        ('{"conn_type": "proofy", "passwort": "hunter2"}', "has a member 'passwort', and there are only conn_type"),
        ('{"conn_type": "proofy", "password": 4223}', "has a password that is no text: write it in quotation marks"),
        ('{"conn_type": "proofy", "host": ["h.example"]}', "has a host that is no text"),
        ("proofy://https://:hunter2@https://h.example", "is a URI whose host has a scheme in it"),
        ("batchapi://:hunter2@h.example?vendor_file=s3://c@b/x.toml", "is a URI with '://' in its query, where"),
        ("proofy://:hunter2@h.example:port", "is neither JSON nor a URI"),
    ],
)
def test_an_environment_variable_that_airflow_cannot_read(
    connections: Emulator, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", text)
    with pytest.raises(InvalidConnectionError) as caught:
        BatchApiHook.for_connection("mine").get_conn()
    says = f"Airflow connection 'mine' cannot be read: the environment variable AIRFLOW_CONN_MINE {says}"
    assert caught.value.message.startswith(says)
    assert not any(secret in str(caught.value) for secret in ("hunter2", "4223"))
    assert caught.value.__cause__ is None
    assert not caught.value.retryable


def test_a_connection_that_is_not_there(connections: Emulator) -> None:
    """A secrets backend that is down looks alike, so Airflow may try the task again."""
    with pytest.raises(InvalidConnectionError, match="does not find the connection 'mine'") as caught:
        BatchApiHook.for_connection("mine")
    assert caught.value.retryable
    with pytest.raises(InvalidConnectionError, match="does not find the connection 'mine'"):
        asyncio.run(BatchApiHook("mine").avendor())


@pytest.mark.parametrize(
    "form", ["proofy://http://:{key}@{host}/proofy/v1", "proofy://http://:{key}@{host}/proofy%2Fv1"]
)
def test_the_path_of_a_uri(connections: Emulator, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Airflow puts it into the schema field."""
    host, _, path = connections.urls["proofy"].removeprefix("http://").partition("/")
    form = form.replace("proofy/v1", path).replace("proofy%2Fv1", path.replace("/", "%2F"))
    monkeypatch.setenv("AIRFLOW_CONN_MINE", form.format(key=connections.credentials["proofy"].password, host=host))
    hook = BatchApiHook.for_connection("mine")
    assert hook.vendor.account.base_url == connections.urls["proofy"]
    assert hook.test_connection()[0]


def test_errors_name_the_connection(connect: Connect, connections: Emulator) -> None:
    job = connections.add_job("proofy")
    hook = BatchApiHook.for_connection(connect("proofy", password="pf_not_the_key"))
    asks: list[Callable[[], object]] = [
        lambda: hook.get_job(job.id),
        lambda: hook.submit_job({"emails": ["a@b.example"]}),
        lambda: hook.fetch(job.id, max_bytes=1),
    ]
    for ask in asks:
        with pytest.raises(AuthenticationError, match="connection mine") as caught:
            ask()
        assert caught.value.conn_id == "mine"


def test_short_values_of_the_extra_warn_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow masks each value of an extra that is read by its ``extra_dejson``, and warns of one shorter than five."""
    from airflow.sdk._shared.secrets_masker import SecretsMasker

    SecretsMasker._has_warned_short_secret = False
    extra = '{"api_version": "v2"}'
    vendor_for(Connection(conn_id="x", conn_type="revenuebase", password="rb_0123456", extra=extra))
    assert "Skipping masking" not in caplog.text
    assert not SecretsMasker._has_warned_short_secret


def test_nothing_short_is_in_the_connections_that_are_made_here(connections: Emulator) -> None:
    """For a connection of the environment Airflow itself reads ``extra_dejson``."""
    for value in connections.connections().values():
        assert all(len(each) >= 5 for each in value["extra"].values() if isinstance(each, str))


def test_a_file_of_a_connection_that_is_not_there(connect: Connect, connections: Emulator) -> None:
    """It would be read with whatever credentials the machine has."""
    with pytest.raises(InvalidConnectionError, match="does not find the connection 'aws_defualt'"):
        open_source("s3://aws_defualt@bucket/people.csv")
    with pytest.raises(InvalidConnectionError, match="does not find the connection 'aws_defualt'"):
        BatchApiHook.for_connection(connect("revenuebase")).submit_job(file="s3://aws_defualt@bucket/people.csv")
    assert all(record.operation != "submit" for record in connections.requests)

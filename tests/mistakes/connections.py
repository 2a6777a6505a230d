"""Mistakes in an Airflow connection."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.exceptions import InvalidConnectionError
from tests.mistakes import BEFORE_SUBMIT, BUTTON, CHECK, Mistake, When

_HOST = "Leave host, schema and port empty for …, or give https://host/path as the host."


def _run(vendor: str, **members: Any) -> Any:
    return lambda desk: desk.connect(vendor, **members).run(vendor=vendor)


def _press(vendor: str, **members: Any) -> Any:
    return lambda desk: desk.connect(vendor, **members).press_test(vendor)


def _check(vendor: str, **members: Any) -> Any:
    return lambda desk: desk.connect(vendor, **members).check(vendor)


def _field(did: str, vendor: str, field: str, problem: str, remedy: str, **members: Any) -> list[Mistake]:
    """One field that is wrong, found by a task, by the Test button and by ``airflow batchdl check``."""
    says = f"The {field} of Airflow connection '{vendor}_default' {problem}{'' if problem.endswith('?') else '.'}"
    ways: list[tuple[str, Any, When]] = [
        ("", _run, BEFORE_SUBMIT),
        (", and tests it", _press, BUTTON),
        (", and checks it", _check, CHECK),
    ]
    if isinstance(members.get("extra"), str):
        del ways[1]  # Airflow's own model of a connection refuses it before the button's code
    return [
        Mistake(did + then, drive(vendor, **members), when, InvalidConnectionError, says, remedy)
        for then, drive, when in ways
    ]


def _of_host(then: str, drive: Any, when: When) -> Mistake:
    return Mistake(
        "leaves http:// out of the host of a server that speaks only that" + then,
        lambda desk: drive(desk.connect("proofy", host=desk.emulator.urls["proofy"].removeprefix("http://"))),
        when,
        InvalidConnectionError,
        "The host of Airflow connection 'proofy_default' leads to …, where something answers that speaks no https.",
        "Write http:// before the host if that is meant; else see which port it needs, and what proxy is between.",
    )


def _of_type(then: str, drive: Any, when: When) -> Mistake:
    return Mistake(
        "names a connection of another type" + then,
        drive("proofy", conn_type="postgres"),
        when,
        InvalidConnectionError,
        "The type of Airflow connection 'proofy_default' is 'postgres', which is no batch API's.",
        "Name another connection, or correct its type; known: …apartmentiq, batchapi, batchcom, proofy, revenuebase.",
    )


def _missing(then: str, drive: Any, when: When) -> Mistake:
    return Mistake(
        "names a connection that Airflow does not find" + then,
        drive,
        when,
        InvalidConnectionError,
        "Airflow does not find the connection 'nowhere' (AirflowNotFoundException).",
        "Create it, or correct the id; if a secrets backend or AIRFLOW_CONN_NOWHERE has it, check that it can be …",
    )


def _no_json(then: str, drive: Any, when: When) -> Mistake:
    return Mistake(
        "writes a connection of the environment that is no JSON" + then,
        lambda desk: drive(desk.connect_by('{"conn_type": "revenuebase", }')),
        when,
        InvalidConnectionError,
        "Airflow connection 'revenuebase_default' cannot be read: the environment variable "
        "AIRFLOW_CONN_REVENUEBASE_DEFAULT is no JSON: …, at line 1, column ….",
        'Write it as JSON: {"conn_type": "…", "password": "…", "extra": {…}}.',
    )


MISTAKES: list[Mistake] = [
    *_field(
        "leaves the password of a connection empty",
        "revenuebase",
        "password",
        "is empty",
        "Put Revenuebase's key, secret or token into its password field.",
        password=None,
    ),
    *_field(
        "pastes a key with the word Bearer before it",
        "batchcom",
        "password",
        "begins with a header's name or with 'Bearer'; only the key belongs there",
        "Paste Batch.com's key, secret or token anew.",
        password="Bearer rest_0123456789",
    ),
    *_field(
        "pastes a key with a line break in the middle",
        "proofy",
        "password",
        "has a blank or a line break in the middle",
        "Paste Proofy's key, secret or token anew.",
        password="pf_0123\n456789",
    ),
    *_field(
        "pastes an address of the API instead of the key",
        "proofy",
        "password",
        "is a URL, not what belongs there",
        "Paste Proofy's key, secret or token anew.",
        password="https://apis.proofy.io/v1/credits?api_key=pf_0123456789",
    ),
    *_field(
        "saves a variable's name that nothing has replaced by the key",
        "revenuebase",
        "password",
        "is in braces, as JSON or a template that was not replaced",
        "Paste Revenuebase's key, secret or token anew.",
        password="${REVENUEBASE_KEY}",
    ),
    *_field(
        "saves the *** that Airflow shows instead of a password",
        "proofy",
        "password",
        "is the mask that Airflow shows in a secret's place, not the secret",
        "Paste Proofy's key, secret or token anew.",
        password="***",
    ),
    *_field(
        "leaves the project key out of a connection to Batch.com",
        "batchcom",
        "extra field 'project_key'",
        "is missing",
        'Set the connection extra "project_key"; the Batch.com dashboard shows it.',
        extra={"project_key": None},
    ),
    *_field(
        "misspells a field of the extra",
        "batchcom",
        "extra field 'project_kye'",
        "is not known: did you mean 'project_key'?",
        "Known are api_version, max_poll_interval, new_members, poll_interval, project_key, rate_limit, states.",
        extra={"project_key": None, "project_kye": "project_0123456789"},
    ),
    *_field(
        "gives an extra that is JSON, and no object",
        "proofy",
        "extra",
        'is JSON, but a list instead of an object like {"poll_interval": 30}',
        'Write it as {"name": "value"}, or leave it empty.',
        extra='["poll_interval", 30]',
    ),
    *_field(
        "writes an API version as a number",
        "batchcom",
        "extra field 'api_version'",
        "is 2.1, a number, where text is meant",
        'Write it in quotation marks, like {"api_version": "…"}: of a number, JSON forgets how it was written.',
        extra={"api_version": 2.10},
    ),
    *_field(
        "gives a poll interval that is no number of seconds",
        "proofy",
        "extra field 'poll_interval'",
        "is 'soon', and no number of seconds up to ten years",
        'Set it like "30".',
        extra={"poll_interval": "soon"},
    ),
    *_field(
        "gives a rate limit without saying in how many seconds",
        "proofy",
        "extra field 'rate_limit'",
        "is '60', and no rate limit",
        'Set it to "requests/seconds", such as "60/60" for sixty in a minute, or leave it out.',
        extra={"rate_limit": "60"},
    ),
    *_field(
        "writes the scheme of a host twice",
        "proofy",
        "host",
        "has '://' in it twice",
        _HOST,
        host="https://https://apis.proofy.io/v1",
    ),
    *_field(
        "writes a user and a password into the host",
        "proofy",
        "host",
        "has an '@' in it: credentials do not belong there",
        _HOST,
        host="https://me:secret-0815@apis.proofy.io/v1",
    ),
    *_field(
        "writes the API's version into the host",
        "batchcom",
        "host",
        "has the path '/2.11', and this API's is none: each request brings its own",
        _HOST,
        host="https://api.batch.com/2.11",
    ),
    *_field(
        "gives a host and a port field that differ",
        "proofy",
        "port",
        "is 81, and the host says 80",
        _HOST,
        host="http://127.0.0.1:80/v1",
        port=81,
    ),
    _of_host("", lambda desk: desk.run(vendor="proofy"), BEFORE_SUBMIT),
    _of_host(", and tests it", lambda desk: desk.press_test("proofy"), BUTTON),
    _of_host(", and checks it", lambda desk: desk.check("proofy"), CHECK),
    _of_type("", _run, BEFORE_SUBMIT),
    _of_type(", and checks it", _check, CHECK),
    _missing("", lambda desk: desk.run(conn_id="nowhere"), BEFORE_SUBMIT),
    _missing(", and checks it", lambda desk: desk.check(conn_id="nowhere"), CHECK),
    _no_json("", lambda desk: desk.run(), BEFORE_SUBMIT),
    _no_json(", and checks it", lambda desk: desk.check(), CHECK),
]

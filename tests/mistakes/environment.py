"""Mistakes, and habits of a cluster, in environment variables."""

from __future__ import annotations

from typing import Any

from airflow_provider_batchdl.exceptions import VendorUnavailableError, WorkerEnvironmentError
from tests.mistakes import BEFORE_SUBMIT, BUTTON, CHECK, Mistake, When

_PROXY = (
    "Set … on this machine like http://host:3128, with special signs in a user's name and password "
    "percent-encoded (%40 for @), or unset it."
)
_BUNDLE = "Set … on this machine to a PEM file that is there, or unset it."


# What this machine, or the tests' root, may have set.
_NONE = {"NO_PROXY": "", "REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}


def _run(**variables: str) -> Any:
    return lambda desk: desk.connect().environment(**{**_NONE, **variables}).run()


def _press(**variables: str) -> Any:
    return lambda desk: desk.connect().environment(**{**_NONE, **variables}).press_test()


def _check(**variables: str) -> Any:
    return lambda desk: desk.connect().environment(**{**_NONE, **variables}).check()


def _variable(did: str, says: str, remedy: str, **variables: str) -> list[Mistake]:
    """A variable that is wrong, found by a task, by the Test button and by ``airflow batchdl check``."""
    ways: list[tuple[str, Any, When]] = [
        ("", _run, BEFORE_SUBMIT),
        (", and tests a connection", _press, BUTTON),
        (", and checks a connection", _check, CHECK),
    ]
    return [
        Mistake(did + then, drive(**variables), when, WorkerEnvironmentError, says, remedy)
        for then, drive, when in ways
    ]


MISTAKES: list[Mistake] = [
    *_variable(
        "sets a proxy that is no URL",
        "The environment variable HTTPS_PROXY is no proxy's URL.",
        _PROXY,
        HTTPS_PROXY="http://proxy.example:port",
    ),
    *_variable(
        "leaves a slash of the proxy's password as it is",
        "The environment variable HTTP_PROXY is no proxy's URL.",
        _PROXY,
        HTTP_PROXY="http://me:pass/word@proxy.example:3128",
    ),
    *(
        Mistake(
            f"{did} a connection where nothing listens at the proxy",
            drive(HTTP_PROXY="http://me:secret123@127.0.0.1:9"),
            when,
            VendorUnavailableError,
            "No answer from Revenuebase to the balance request: …Connection refused.",
            "can be reached from here. HTTP_PROXY names the proxy on the way: http://***@127.0.0.1:9.",
        )
        for did, drive, when in (("tests", _press, BUTTON), ("checks", _check, CHECK))
    ),
    *_variable(
        "names a proxy of a kind that nothing speaks",
        "The environment variable all_proxy names a proxy of the kind 'socks4', which is not supported.",
        _PROXY,
        all_proxy="socks4://proxy.example",
    ),
    *_variable(
        "names a CA bundle that is not there",
        "The environment variable REQUESTS_CA_BUNDLE names the CA bundle '/no/such.pem', which cannot be used: "
        "no such file or directory.",
        _BUNDLE,
        REQUESTS_CA_BUNDLE="/no/such.pem",
    ),
    *_variable(
        "names a folder of certificates that is not there",
        "The environment variable SSL_CERT_DIR names the CA bundle '/no/such', which cannot be used: "
        "there is no such folder.",
        _BUNDLE,
        SSL_CERT_DIR="/no/such",
    ),
    *_variable(
        "names a CA bundle without a certificate",
        "The environment variable SSL_CERT_FILE names the CA bundle '/dev/null', which cannot be used: "
        "it holds no certificate that can be read.",
        _BUNDLE,
        SSL_CERT_FILE="/dev/null",
    ),
]

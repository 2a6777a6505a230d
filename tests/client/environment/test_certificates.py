"""Which certificates are trusted, and what is said of a bundle that is none."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest

from airflow_provider_batchdl.client.environment import CaBundle, ssl_context
from airflow_provider_batchdl.exceptions import WorkerEnvironmentError

FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A bundle of one certificate."""
    end = "-----END CERTIFICATE-----\n"
    text = Path(certifi.where()).read_text()
    path = tmp_path / "one.pem"
    path.write_text(text[text.index("-----BEGIN") : text.index(end)] + end)
    return path


def subjects(context: ssl.SSLContext) -> int:
    return len(context.get_ca_certs())


def test_certifi_where_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = CaBundle.from_environment()
    assert (bundle.path, bundle.variable) == (certifi.where(), None)
    assert subjects(ssl_context()) > 50
    assert ssl_context() is ssl_context()
    for name in (*FILES, "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "")
    assert CaBundle.from_environment() == bundle


@pytest.mark.parametrize("variable", FILES)
def test_a_file_takes_its_place(monkeypatch: pytest.MonkeyPatch, pem: Path, variable: str) -> None:
    monkeypatch.setenv(variable, str(pem))
    bundle = CaBundle.from_environment()
    assert (bundle.path, bundle.variable) == (str(pem), variable)
    context = ssl_context()
    assert subjects(context) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_first_of_them_counts(monkeypatch: pytest.MonkeyPatch, pem: Path) -> None:
    for name in reversed(FILES):
        monkeypatch.setenv(name, str(pem))
        assert CaBundle.from_environment().variable == name


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"])
def test_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    monkeypatch.setenv(variable, f"{tmp_path}/gone:{tmp_path}" if variable == "SSL_CERT_DIR" else str(tmp_path))
    assert CaBundle.from_environment().variable == variable
    assert subjects(ssl_context()) == 0


def test_openssl_uses_both_of_its_own(monkeypatch: pytest.MonkeyPatch, pem: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    bundle = CaBundle.from_environment()
    assert (bundle.file, bundle.folders, bundle.variable) == (str(pem), str(tmp_path), "SSL_CERT_FILE and SSL_CERT_DIR")
    assert subjects(ssl_context()) == 1


def test_a_bundle_that_was_renewed_is_read_again(monkeypatch: pytest.MonkeyPatch, pem: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    assert subjects(ssl_context()) == 1
    pem.write_bytes(Path(certifi.where()).read_bytes())
    assert subjects(ssl_context()) > 50


@pytest.mark.parametrize("variable", [*FILES, "SSL_CERT_DIR"])
@pytest.mark.parametrize("what", ["missing", "empty", "garbage", "cut"])
def test_what_is_no_bundle_is_said_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, what: str
) -> None:
    path = tmp_path / "ca.pem"
    contents = {"empty": b"", "garbage": bytes(range(256)), "cut": b"-----BEGIN CERTIFICATE-----\nx\n"}
    if what in contents:
        path.write_bytes(contents[what])
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(WorkerEnvironmentError) as caught:
        ssl_context()
    assert caught.value.message.startswith(f"The environment variable {variable} names the CA bundle '{path}'")
    assert caught.value.message.count(". ") == 0
    assert f"Set {variable}" in str(caught.value)
    assert not caught.value.retryable


def test_a_folder_is_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    with pytest.raises(WorkerEnvironmentError, match="SSL_CERT_FILE"):
        ssl_context()

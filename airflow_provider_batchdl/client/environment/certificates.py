"""Trusted certificate authorities."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import certifi

from airflow_provider_batchdl.exceptions import WorkerEnvironmentError

# As `requests` reads them (https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification), a file or
# a folder each; then OpenSSL's own (https://docs.openssl.org/3.0/man3/SSL_CTX_load_verify_locations/), used together.
_FILE_OR_FOLDER = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_FILE, _FOLDERS = "SSL_CERT_FILE", "SSL_CERT_DIR"


@dataclass(frozen=True)
class CaBundle:
    """The trusted certificate authorities.

    Args:
        file: a PEM file with any number of certificates; None for none.
        folders: one or several folders of certificates, joined by ``:``, as OpenSSL's ``c_rehash`` makes them.
        variable: the environment variables that name them; None for the bundle of ``certifi``.
        changed: when the file was last changed, in nanoseconds: a context is made anew for a new bundle.
    """

    file: str | None = None
    folders: str | None = None
    variable: str | None = None
    changed: int = 0

    @property
    def path(self) -> str:
        """Path of the file, the folders, or both."""
        return " and ".join(filter(None, (self.file, self.folders)))

    @classmethod
    def from_environment(cls) -> Self:
        """The bundle that the environment names: the first of the variables that is set and not empty.

        Raises:
            WorkerEnvironmentError: there is nothing at the path that it names.
        """
        for name in _FILE_OR_FOLDER:
            if (path := os.environ.get(name)) and _is_folder(path):
                return cls(folders=path, variable=name)
            if path:
                return cls(path, None, name, _changed(name, path))
        file, folders = os.environ.get(_FILE) or None, os.environ.get(_FOLDERS) or None
        if folders and not any(map(_is_folder, folders.split(os.pathsep))):
            raise _unusable(_FOLDERS, folders, "there is no such folder")
        if not file:
            return cls(folders=folders, variable=_FOLDERS) if folders else cls(certifi.where())
        return cls(file, folders, f"{_FILE} and {_FOLDERS}" if folders else _FILE, _changed(_FILE, file))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 pathlib's raises where a name is too long


def _changed(variable: str, path: str) -> int:
    """Time of a file's last change, in nanoseconds."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except (OSError, ValueError) as error:
        raise _unusable(variable, path, _reason(error)) from None


def ssl_context() -> ssl.SSLContext:
    """The TLS context for what the environment trusts.

    Raises:
        WorkerEnvironmentError: what it names cannot be read, or holds no certificate.
    """
    return _context(CaBundle.from_environment())


@lru_cache(maxsize=4)  # making one costs some 40 ms and 600 KiB
def _context(bundle: CaBundle) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=bundle.file, capath=bundle.folders)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise _unusable(bundle.variable or "certifi", bundle.path, _reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate that can be read"
    return (getattr(error, "strerror", None) or "it is no path").lower()


def _unusable(variable: str, path: str, reason: str) -> WorkerEnvironmentError:
    return WorkerEnvironmentError(
        f"The environment variable {variable} names the CA bundle {path!r}, which cannot be used: {reason}.",
        remedy=f"Set {variable} on this machine to a PEM file that is there, or unset it.",
    )

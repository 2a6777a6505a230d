"""Signed addresses for the parts of an upload, made by the s3fs file system's own client.

The client knows the credentials and renews them, the region, and how the endpoint wants its buckets addressed; it signs
an `UploadPart` in half a millisecond. What it cannot say in an address (a proxy, a client certificate, encryption with
the caller's key, a signer of its own) is a reason to leave the sending to it as well.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html (the signature in the query; the
body is not signed), https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html (CRC-32 per
part).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from airflow_provider_batchdl.client.environment import Proxies
from airflow_provider_batchdl.transfer.sinks.s3.api import client_of

if TYPE_CHECKING:
    from s3fs import S3FileSystem

VALID_SECONDS = 900
"""Seconds that a signature is valid; every try of a part has a new one."""
_CHECKSUM = "ChecksumCRC32"
_OWN_ARGUMENTS = frozenset({"Bucket", "Key", "UploadId", "PartNumber", _CHECKSUM})


class UnsignableError(Exception):
    """Parts have to go through the file system's client; the message says why."""


@dataclass(frozen=True)
class PartSigner:
    """Signs the parts of one object's upload."""

    fs: S3FileSystem
    names: dict[str, str]
    checksums: bool  # every part is sent with its CRC-32, so that the store refuses a damaged one
    origin: SplitResult
    tls: ssl.SSLContext | None
    timeouts: tuple[float, float]  # seconds for connecting, and for each read and write
    answer: Any  # botocore's model of the answer to a part

    def sign(self, upload_id: str, number: int, crc32: str | None) -> tuple[str, dict[str, str]]:
        """The target of the request for part `number`, good for `VALID_SECONDS`, and its headers.

        The target holds the signature: never show it. ``crc32`` is in base64. Called in any thread but the file
        system's loop.

        Raises:
            UnsignableError: the address would not say all of the request; or botocore's, for want of credentials.
        """
        from fsspec.asyn import sync

        url: SplitResult = sync(self.fs.loop, _signed, self.fs, self.names, upload_id, number, crc32)
        return f"{url.path}?{url.query}", _headers(crc32)

    def parse(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
        """The store's answer to a part as the client would return it, or have it in its `ClientError`."""
        from botocore.awsrequest import HeadersDict
        from botocore.parsers import create_parser

        response = {"status_code": status, "headers": HeadersDict(headers), "body": body}
        parsed: dict[str, Any] = create_parser("rest-xml").parse(response, self.answer)
        return parsed


async def signer_for(fs: S3FileSystem, names: dict[str, str], *, checksums: bool) -> PartSigner:
    """The signer for the parts of one object. A coroutine on the file system's loop.

    Raises:
        UnsignableError: the file system's client does something that a signed address cannot carry.
    """
    from botocore.utils import get_environ_proxies

    meta = (await client_of(fs, names)).meta
    config = meta.config
    if reason := _obstacle(fs, config):
        raise UnsignableError(reason)
    probe = await _signed(fs, names, "probe", 1, "AAAAAA==" if checksums else None)
    origin = probe._replace(path="", query="")
    proxies = config.proxies if config.proxies is not None else get_environ_proxies(origin.geturl())
    # What the environment has besides (NO_PROXY alone, a proxy for the other scheme) is none for the client.
    if proxies.get(origin.scheme) or Proxies.from_environment().proxy_for(origin.geturl()):
        raise UnsignableError("a proxy is configured")
    tls = _trusting(_verify(fs)) if origin.scheme == "https" else None
    timeouts = config.connect_timeout, config.read_timeout
    answer = meta.service_model.operation_model("UploadPart").output_shape
    return PartSigner(fs, names, checksums, origin, tls, timeouts, answer)


def _headers(crc32: str | None) -> dict[str, str]:
    """The headers that the signature covers, without `Host`."""
    return {} if crc32 is None else {"x-amz-checksum-crc32": crc32}


async def _signed(
    fs: S3FileSystem, names: dict[str, str], upload_id: str, number: int, crc32: str | None
) -> SplitResult:
    client = await client_of(fs, names)
    wanted = {**names, "UploadId": upload_id, "PartNumber": number} | ({} if crc32 is None else {_CHECKSUM: crc32})
    arguments = fs._get_s3_method_kwargs(client.upload_part, **wanted)
    if others := sorted(set(arguments) - _OWN_ARGUMENTS):
        raise UnsignableError(f"parts need {', '.join(others)}")
    client.meta.events.register("choose-signer.s3.UploadPart", _prefer_v4, unique_id="batchdl-part-signer")
    url: SplitResult = urlsplit(
        await client.generate_presigned_url("upload_part", Params=arguments, ExpiresIn=VALID_SECONDS)
    )
    query = parse_qs(url.query)
    covered = set(query.get("X-Amz-SignedHeaders", [""])[0].split(";"))
    if query.get("X-Amz-Algorithm") != ["AWS4-HMAC-SHA256"] or covered != {"host", *_headers(crc32)}:
        raise UnsignableError("the client signs in another way")
    return url


def _obstacle(fs: S3FileSystem, config: Any) -> str | None:
    from aiobotocore.config import AioConfig
    from botocore import UNSIGNED

    plain = AioConfig()
    if fs.anon or config.signature_version is UNSIGNED:
        return "requests are not signed, or by another's signer"
    if (config.s3 or {}).get("payload_signing_enabled"):
        return "bodies are to be signed"
    if config.client_cert or config.proxies_config:
        return "a client certificate or a proxy is configured"
    if getattr(config, "http_session_cls", plain.http_session_cls) is not plain.http_session_cls:
        return "another HTTP client is configured"
    if getattr(config, "connector_args", plain.connector_args) != plain.connector_args:
        return "the HTTP client's connections are configured"
    return None


def _prefer_v4(signature_version: str, **_: Any) -> str | None:
    """Signature version 4 for addresses: botocore's own choice is 2, which AWS refuses for buckets made since 2020."""
    return "s3v4-query" if signature_version in ("v4-query", "s3v4-query") else None


def _verify(fs: S3FileSystem) -> bool | str:
    """The client's setting for certificates: `verify`, AWS_CA_BUNDLE or the profile's `ca_bundle`."""
    verify = fs.client_kwargs.get("verify")
    if verify is None and fs.session is not None:
        verify = fs.session.get_config_variable("ca_bundle")
    return True if verify is None else verify


@lru_cache(maxsize=4)
def _trusting(verify: bool | str) -> ssl.SSLContext:
    """The client's TLS settings; making them costs some 40 ms, for reading the bundle."""
    from botocore.httpsession import create_urllib3_context, get_cert_path

    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = bool(verify)
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if verify:
        context.load_verify_locations(get_cert_path(verify))
    return context

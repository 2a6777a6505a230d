"""The object store behind the vendors' links: the parts of S3's behaviour that a downloader meets.

Sources: AWS's documentation of GetObject, of error responses and of query-string authentication. Which store the
vendors really use is documented for ApartmentIQ only ("pre-signed S3 URL"); for Batch.com it is an inference.
"""

from __future__ import annotations

import hashlib
from xml.sax.saxutils import escape

from airflow_provider_batchdl.emulator.downloads import result_content, served
from airflow_provider_batchdl.emulator.exchange import Api, Call, Endpoint, Reply, text_reply
from airflow_provider_batchdl.emulator.links import LINK_SECONDS, StoredObject
from airflow_provider_batchdl.emulator.ranges import ranged_reply
from airflow_provider_batchdl.emulator.world import World

_FOREIGN_HARMLESS = ("x-amz-", "x-amzn-", "x-forwarded-", "x-request-id")


def link_to(world: World, stored: StoredObject) -> str:
    """Return a presigned link that lives as long as the vendor's links do."""
    seconds = world.link_seconds if world.link_seconds is not None else LINK_SECONDS[stored.job.vendor]
    return world.links.sign(world.store_url, stored.key, seconds)


class Store(Api):
    """GET of objects by presigned links. Other methods, and HEAD by a link signed for GET, are refused as S3 does."""

    vendor = "store"

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        return [
            Endpoint("store", "GET", "/{key:path}", self.get, open=True),
            Endpoint("store", "HEAD", "/{key:path}", self.get, open=True),
        ]

    def owner(self, call: Call) -> str:
        """Return the vendor whose bucket a request is about."""
        stored = self.world.links.objects.get(call.request.scope["path"].lstrip("/"))
        return stored.job.vendor if stored else self.vendor

    def error(self, status: int, message: str) -> Reply:
        """Return an error in S3's XML."""
        codes = {404: "NoSuchKey", 405: "MethodNotAllowed", 500: "InternalError", 503: "SlowDown"}
        return self.xml_error(status, codes.get(status, "InvalidRequest"), message)

    def xml_error(self, status: int, code: str, message: str) -> Reply:
        """Return an S3 error document."""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
            "<RequestId>0000000000000000</RequestId><HostId>emulator</HostId></Error>"
        )
        return text_reply(status, body, "application/xml")

    def dress(self, call: Call, reply: Reply) -> None:
        """Add the headers that S3 puts on every answer."""
        request_id = hashlib.md5(str(call.request.url).encode(), usedforsecurity=False).hexdigest()[:16].upper()
        reply.headers += [("x-amz-request-id", request_id), ("server", "AmazonS3")]

    def _refusal(self, call: Call) -> Reply | None:
        """Return the answer to a request that brings more than its link."""
        if call.header("authorization"):
            message = (
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified"
            )
            return self.xml_error(400, "InvalidArgument", message)
        foreign = [
            name
            for name in call.request.headers
            if name.lower().startswith("x-") and not name.lower().startswith(_FOREIGN_HARMLESS)
        ]
        if foreign:
            # S3 itself would ignore most of these. The emulator refuses them because each is a vendor's credential
            # or project key that has leaked to another origin.
            return self.xml_error(400, "InvalidArgument", f"Unexpected header {foreign[0]}")
        return None

    async def get(self, call: Call) -> Reply:
        """Serve an object."""
        if refusal := self._refusal(call):
            return refusal
        if call.fault and call.faulty("expired_link"):
            message = "Request has expired" if call.fault.code == "AccessDenied" else "The provided token has expired."
            return self.xml_error(403, call.fault.code, message)
        path = call.request.scope["path"]
        if fault := self.world.links.fault_of(call.request.method, path, call.query):
            return self.xml_error(403, *fault)
        stored = self.world.links.objects.get(path.lstrip("/"))
        if stored is None:
            return self.error(404, "The specified key does not exist.")
        content = await result_content(call, stored.job, stored.part)
        reply = ranged_reply(call, content, stored.etag, stored.last_modified)
        return await served(call, reply, stored.job)

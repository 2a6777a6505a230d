"""One multipart upload of one object."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS
from airflow_provider_batchdl.transfer.sinks.errors import store_code
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object
from airflow_provider_batchdl.transfer.sinks.s3.client_parts import ClientParts
from airflow_provider_batchdl.transfer.sinks.s3.crc32 import combined, to_base64
from airflow_provider_batchdl.transfer.sinks.s3.direct_parts import DirectParts, RefusedError
from airflow_provider_batchdl.transfer.sinks.s3.part import Part, UploadedPart
from airflow_provider_batchdl.transfer.sinks.s3.presign import PartSigner, UnsignableError, signer_for

log = logging.getLogger(__name__)

MOST_PAGES = 100
"""Of a list of parts: S3 gives 1,000 on one, and there are at most 10,000."""
WHOLE = "FULL_OBJECT"
"""S3's name for a checksum of the whole object, not of its parts' checksums."""
_UNKNOWN = frozenset({"InvalidArgument", "InvalidRequest", "NotImplemented"})
"""Codes of stores that refuse a request for a header that they do not know."""


@dataclass(frozen=True)
class _Begun:
    """An upload that the store knows.

    Args:
        id: the store's name for it.
        signer: what signs its parts; None where the client sends them.
        checksums: whether every part is sent with its CRC-32.
        is_attested: whether the store will compare the whole object with its CRC-32.
    """

    id: str
    signer: PartSigner | None
    checksums: bool
    is_attested: bool


class MultipartUpload:
    """One multipart upload; parts are numbered as they are sent.

    Parts go straight to the store (`DirectParts`), and through the file system's client where that has reasons to send
    them itself, or where the store refuses them in the other form.

    Where the store can do it, the completion names the CRC-32 and the size of the whole object: it refuses to make
    another one, whatever became of a part on its way, whichever process sent it
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html). Elsewhere the parts'
    own checksums are what the store compares.

    Args:
        target: the object to be.
        direct: whether parts may go straight to the store.
        resumed: the id of an upload that is there already; None begins one.
        parts: what `resumed` has, from the first part on without a gap.
        is_attested: whether `resumed` was begun as one whose whole object is compared.
    """

    def __init__(
        self,
        target: S3Object,
        *,
        direct: bool = True,
        resumed: str | None = None,
        parts: Sequence[UploadedPart] = (),
        is_attested: bool = False,
    ) -> None:
        self._object = target
        # The task is held, not only its result: a signal that arrives while the store answers must not lose the id.
        self._created = target.begin(_create, target, direct, resumed, is_attested)
        self._begun: _Begun | None = None
        self._client: ClientParts | None = None
        self._direct: DirectParts | None = None
        self._refused = False
        self._flying: deque[tuple[Callable[[], dict[str, Any]], int, Part]] = deque()
        self.collected = list(parts)
        """The parts that the store has."""
        self.parts_begun = len(self.collected)
        self.attested = False
        """True where the store has compared the whole object with what was sent; known after `complete`."""

    @property
    def upload_id(self) -> str:
        """The store's name for it. Waits until there is one."""
        return self._ready().id

    @property
    def is_attested(self) -> bool:
        """True where the store will compare the whole object with its CRC-32."""
        return self._ready().is_attested

    @property
    def in_flight(self) -> int:
        """Parts sent and not yet collected."""
        return len(self._flying)

    def send(self, body: Part) -> None:
        """Start uploading `body` as the next part."""
        self.parts_begun += 1
        begun = self._ready()
        if begun.signer is None or self._refused:
            way: ClientParts | DirectParts = self._by_client()
        else:
            way = self._direct = self._direct or DirectParts(begun.signer, begun.id)
        self._flying.append((way.send(self.parts_begun, body), self.parts_begun, body))

    def collect(self) -> None:
        """Wait for the oldest part under way, and release its bytes. Raises what its upload raised."""
        wait, number, body = self._flying[0]
        try:
            answer = wait()
        except RefusedError as refusal:
            log.debug("Part %d was refused (%s); sending it and all later ones through s3fs", number, refusal)
            self._refused = True
            answer = self._by_client().send(number, body)()
        self._flying.popleft()
        checked = self.is_attested or "ChecksumCRC32" in answer
        self.collected.append(UploadedPart(number, body.size, answer, body.crc32 if checked else None))

    def finish(self) -> None:
        """Wait for all parts, and close the connections that carried them."""
        while self._flying:
            self.collect()
        if self._direct is not None:
            self._direct.close()

    def complete(self) -> str | None:
        """Make the object visible, and abort what earlier tries left of it. Returns its ETag.

        Those are the uploads of the very same object that began before this one. Were one another writer's, it would
        replace this newer object by an older one.
        """
        earlier = earlier_uploads(self._object, self.upload_id)
        etag = self._complete()
        for upload_id in earlier:
            abort_upload(self._object, upload_id)
        return etag

    def _complete(self) -> str | None:
        wanted: dict[str, Any] = {"UploadId": self.upload_id, **self._object.condition}
        wanted["MultipartUpload"] = {"Parts": [part.listed() for part in self.collected]}
        if self.is_attested:
            crc = combined((part.crc32 or 0, part.size) for part in self.collected)
            wanted |= {"ChecksumType": WHOLE, "ChecksumCRC32": to_base64(crc)}
            wanted["MpuObjectSize"] = sum(part.size for part in self.collected)
        try:
            answer = self._object.call("complete_multipart_upload", **wanted)
        except Exception as error:  # noqa: BLE001  raised again there
            # A completion whose answer was lost is repeated by the client and then finds no such upload.
            answer = self._object.mine_after_all(error, composite_etag([part.etag for part in self.collected]))
        etag = self._object.published(answer)
        self.attested = self._object.is_attested(answer, wanted)
        return etag

    def abort(self) -> bool:
        """Stop the parts under way and abort the upload until the store no longer knows it. Never raises.

        Returns:
            Whether it is certainly gone.
        """
        try:
            self.stop()
            upload_id = self._ready(timeout=ABORT_SECONDS).id
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("No multipart upload to abort: %s", type(error).__name__)
            return False
        return abort_upload(self._object, upload_id)

    def stop(self) -> None:
        """End the parts under way; the upload stays as it is."""
        self._flying.clear()
        for way in (self._direct, self._client):
            if way is not None:
                way.stop()

    def _by_client(self) -> ClientParts:
        begun = self._ready()
        if self._client is None:
            self._client = ClientParts(self._object, begun.id, checksums=begun.checksums)
        return self._client

    def _ready(self, *, timeout: float | None = None) -> _Begun:
        """The upload, once the store knows it."""
        if self._begun is None:
            self._begun = self._object.wait(self._created, timeout=timeout)
        return self._begun


async def _create(target: S3Object, direct: bool, resumed: str | None, is_attested: bool) -> _Begun:
    checksums = await target.takes_checksums()
    signer = None
    try:
        signer = await signer_for(target.fs, target.names, checksums=checksums) if direct else None
    except UnsignableError as reason:
        log.debug("Sending parts through s3fs: %s", reason)
    except Exception as error:  # noqa: BLE001  if it matters, the client meets it too, and says it better
        log.debug("Sending parts through s3fs: %s", type(error).__name__)
    if resumed is not None:
        return _Begun(resumed, signer, checksums, is_attested and checksums)
    answer = await _created(target, checksums=checksums)
    return _Begun(str(answer["UploadId"]), signer, checksums, checksums and answer.get("ChecksumType") == WHOLE)


async def _created(target: S3Object, *, checksums: bool) -> dict[str, Any]:
    """The store's answer to the request for a new upload; it names the kind of checksum where the store knows them."""
    wanted = {"ChecksumAlgorithm": "CRC32"} if checksums else {}
    if checksums:
        try:
            return await target.call_async("create_multipart_upload", ChecksumType=WHOLE, **wanted)
        except Exception as error:
            if store_code(error) not in _UNKNOWN:
                raise
            log.debug("The store supports no checksum of whole objects: %s", store_code(error))
    return await target.call_async("create_multipart_upload", **wanted)


def abort_upload(target: S3Object, upload_id: str) -> bool:
    """Abort an upload until the store no longer knows it. Never raises.

    A part that is still arriving may survive the first abort
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html), hence the check.

    Returns:
        Whether it is certainly gone.
    """
    try:
        for _ in range(3):
            target.call("abort_multipart_upload", UploadId=upload_id, timeout=ABORT_SECONDS)
            target.call("list_parts", UploadId=upload_id, timeout=ABORT_SECONDS)
    except FileNotFoundError:
        return True
    except Exception as error:  # noqa: BLE001  see the docstring: never raises
        # A key may well be allowed to abort but not to list; the abort itself has then been accepted.
        log.warning(
            "Could not confirm that multipart upload %s is gone (%s); the bucket's lifecycle rule has to remove it",
            upload_id,
            type(error).__name__,
        )
    return False


def earlier_uploads(target: S3Object, upload_id: str) -> list[str]:
    """The unfinished uploads of an object that began before `upload_id`; none where the store does not list them."""
    try:
        page = target.list_uploads()
    except Exception as error:  # noqa: BLE001  every store raises its own kinds; most keys may not list uploads
        log.debug("Could not list unfinished uploads: %s", type(error).__name__)
        return []
    same = (each for each in page if each["Key"] == target.names["Key"] and "Initiated" in each)  # not in all stores
    begun = {each["UploadId"]: each["Initiated"] for each in same}
    own = begun.pop(upload_id, None)
    return [each for each, time in begun.items() if own is not None and time <= own]


def listed_parts(target: S3Object, upload_id: str) -> list[UploadedPart]:
    """The parts that the store has of an upload, in their order.

    Raises:
        FileNotFoundError: there is no such upload.
    """
    found: dict[int, UploadedPart] = {}
    page: dict[str, Any] = {"IsTruncated": True}
    after: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        if not page.get("IsTruncated"):
            break
        page = target.call("list_parts", UploadId=upload_id, **after)
        for part in page.get("Parts", []):
            found[part["PartNumber"]] = UploadedPart(part["PartNumber"], part.get("Size", -1), part, None)
        after = {"PartNumberMarker": page.get("NextPartNumberMarker", 0)}
    return [found[number] for number in sorted(found)]


def composite_etag(etags: Sequence[str]) -> str | None:
    """The ETag S3 gives an object made of parts with `etags`: MD5 over the parts' MD5s, a dash, their number.

    None where these are no MD5s (some encryption settings, some other stores). Documented at
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html.
    """
    try:
        digests = b"".join(map(bytes.fromhex, etags))
    except ValueError:
        return None
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"

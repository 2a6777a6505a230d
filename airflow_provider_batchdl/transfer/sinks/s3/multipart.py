"""One multipart upload of one object."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from airflow_provider_batchdl.transfer.sinks.buffered import ABORT_SECONDS, Block, Upload
from airflow_provider_batchdl.transfer.sinks.errors import store_code
from airflow_provider_batchdl.transfer.sinks.fsspec_loop import LoopTasks
from airflow_provider_batchdl.transfer.sinks.s3.api import S3Object, pages
from airflow_provider_batchdl.transfer.sinks.s3.direct_parts import DirectParts, RefusedError
from airflow_provider_batchdl.transfer.sinks.s3.part import UploadedPart, combined, to_base64
from airflow_provider_batchdl.transfer.sinks.s3.presign import PartSigner, UnsignableError, signer_for

log = logging.getLogger(__name__)

WHOLE = "FULL_OBJECT"
"""S3's name for a checksum of the whole object, not of its parts' checksums."""
_UNKNOWN = frozenset({"InvalidArgument", "InvalidRequest", "NotImplemented"})
"""Codes of stores that refuse a request for a header that they do not know."""


class _Begun(NamedTuple):
    """An upload that the store knows."""

    id: str
    signer: PartSigner | None  # None where the client sends the parts
    checksums: bool  # every part is sent with its CRC-32
    is_attested: bool  # the store will compare the whole object with its CRC-32


class MultipartUpload(Upload):
    """One PUT, or a multipart upload, begun with its first part; parts are numbered as they are sent.

    Parts go straight to the store (`DirectParts`), and through the file system's client where that has reasons to send
    them itself, or where the store refuses them in the other form.

    Where the store can do it, the completion names the CRC-32 and the size of the whole object: it refuses to make
    another one, whatever became of a part on its way, whichever process sent it
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html). Elsewhere the parts'
    own checksums are what the store compares.

    An upload that is there already is ``resumed``, by its id, with its first ``parts``; ``is_attested`` says that it
    was begun as one whose whole object is compared.
    """

    def __init__(
        self,
        target: S3Object,
        *,
        resumed: str | None = None,
        parts: Sequence[UploadedPart] = (),
        is_attested: bool = False,
    ) -> None:
        super().__init__()
        self._object = target
        self._resumed = resumed
        self._is_attested = is_attested
        self._created: asyncio.Task[_Begun] | None = None
        self._by_client = LoopTasks(target.fs)
        self._direct: DirectParts | None = None
        self._is_direct = True
        self.collected = list(parts)
        """The parts that the store has."""
        self.begun = len(self.collected)
        self.gone: set[str] = set()
        """The ids of uploads, this one or an earlier one of the same object, that have certainly ended."""

    def ready(self, *, timeout: float | None = None) -> _Begun:
        """The upload, once the store knows it."""
        if self._created is None:
            # The task is held, not only its result: a signal while the store answers must not lose the id.
            known = self._resumed, self._is_attested
            self._created = self._object.begin(_create, self._object, self._is_direct, *known)
        if not self._created.done():
            self._object.wait(self._created, timeout=timeout)
        return self._created.result()

    def send(self, block: Block) -> None:
        """See `Upload`."""
        ready = self.ready()
        self.begun += 1
        if ready.signer is None or not self._is_direct:
            wait = self._send_by_client(self.begun, block)
        else:
            self._direct = self._direct or DirectParts(ready.signer, ready.id)
            wait = self._direct.send(self.begun, block)
        self._flying.append((wait, self.begun, block))

    def collect(self) -> None:
        """Wait for the oldest part under way, and release its bytes. Raises what its upload raised."""
        wait, number, body = self._flying[0]
        try:
            answer = wait()
        except RefusedError as refusal:
            log.debug("Part %d was refused (%s); sending it and all later ones through s3fs", number, refusal)
            self._is_direct = False
            answer = self._send_by_client(number, body)()
        self._flying.popleft()
        checked = self.ready().is_attested or "ChecksumCRC32" in answer
        self.collected.append(UploadedPart(number, body.size, answer, body.crc32 if checked else None))

    def finish(self, rest: Block | None = None) -> None:
        """Send the last part, wait for all parts, and close the connections that carried them."""
        self._is_direct = self._is_direct and self.begun > 0  # a connection for one part would not pay
        super().finish(rest)
        if self._direct is not None:
            self._direct.close()

    def complete(self, rest: Block | None) -> object:
        """Make the object visible, and abort what earlier tries left of it. Returns its ETag.

        Those are the uploads of the very same object that began before this one. Were one another writer's, it would
        replace this newer object by an older one.
        """
        if self._object.create_only and self._object.exists():
            raise FileExistsError(self._object.path)
        if rest is not None:
            if not self.begun:
                self.attested, etag = self._object.put(rest)
                return etag
            self.finish(rest)
        earlier = earlier_uploads(self._object, self.ready().id)
        etag = self._complete()
        self.gone = {self.ready().id, *(each for each in earlier if abort_upload(self._object, each))}
        return etag

    def _complete(self) -> object:
        ready = self.ready()
        wanted: dict[str, Any] = {"UploadId": ready.id, **self._object.condition}
        wanted["MultipartUpload"] = {"Parts": [part.listed() for part in self.collected]}
        if ready.is_attested:
            crc = combined((part.crc32 or 0, part.size) for part in self.collected)
            wanted |= {"ChecksumType": WHOLE, "ChecksumCRC32": to_base64(crc)}
            wanted["MpuObjectSize"] = sum(part.size for part in self.collected)
        try:
            answer = self._object.request("complete_multipart_upload", **wanted)
        except Exception as error:  # noqa: BLE001  raised again there
            # A completion whose answer was lost is repeated by the client and then finds no such upload.
            answer = self._object.mine_after_all(error, composite_etag([part.etag for part in self.collected]))
        etag = self._object.published(answer)
        self.attested = self._object.is_attested(answer, wanted)
        return etag

    def abort(self) -> None:
        """Stop the parts under way and abort the upload until the store no longer knows it. Never raises."""
        self.stop()
        if self._created is None and self._resumed is None:
            return
        try:
            upload_id = self.ready(timeout=ABORT_SECONDS).id
        except Exception as error:  # noqa: BLE001  see the docstring: never raises
            log.debug("No multipart upload to abort: %s", type(error).__name__)
            return
        if abort_upload(self._object, upload_id):
            self.gone = {upload_id}

    def stop(self) -> None:
        """End the parts under way; the upload stays as it is."""
        self._flying.clear()
        if self._direct is not None:
            self._direct.stop()
        self._by_client.stop()

    def _send_by_client(self, number: int, body: Block) -> Callable[[], dict[str, Any]]:
        """Send through s3fs: more CPU, but with every option of its client. Returns what waits for the answer."""
        ready = self.ready()
        wanted: dict[str, Any] = {"PartNumber": number, "UploadId": ready.id}
        if ready.checksums:
            wanted["ChecksumCRC32"] = to_base64(body.crc32)
        task = self._by_client.begin(self._object.send_async, "upload_part", body.file(), **wanted)
        return partial(self._by_client.wait, task)


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
    create = partial(target.fs._call_s3, "create_multipart_upload", **target.names)
    if not checksums:
        return _Begun(str((await create())["UploadId"]), signer, checksums, is_attested=False)
    try:
        answer = await create(ChecksumAlgorithm="CRC32", ChecksumType=WHOLE)
    except Exception as error:
        if store_code(error) not in _UNKNOWN:
            raise
        log.debug("The store supports no checksum of whole objects: %s", store_code(error))
        answer = await create(ChecksumAlgorithm="CRC32")
    # The store names the kind of checksum where it knows them.
    return _Begun(str(answer["UploadId"]), signer, checksums, answer.get("ChecksumType") == WHOLE)


def abort_upload(target: S3Object, upload_id: str) -> bool:
    """Abort an upload until the store no longer knows it. Never raises. Returns whether it is certainly gone.

    A part that is still arriving may survive the first abort
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html), hence the check.
    """
    try:
        for _ in range(3):
            target.request("abort_multipart_upload", UploadId=upload_id, timeout=ABORT_SECONDS)
            target.request("list_parts", UploadId=upload_id, timeout=ABORT_SECONDS)
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
        # The first thousand of this and of longer keys.
        where = {"Bucket": target.names["Bucket"], "Prefix": target.names["Key"]}
        page = target.fs.call_s3("list_multipart_uploads", **where).get("Uploads", [])
    except Exception as error:  # noqa: BLE001  every store raises its own kinds; most keys may not list uploads
        log.debug("Could not list unfinished uploads: %s", type(error).__name__)
        return []
    same = (each for each in page if each["Key"] == target.names["Key"] and "Initiated" in each)  # not in all stores
    begun = {each["UploadId"]: each["Initiated"] for each in same}
    own = begun.pop(upload_id, None)
    return [each for each, time in begun.items() if own is not None and time <= own]


def listed_parts(target: S3Object, upload_id: str) -> list[UploadedPart]:
    """The parts that the store has of an upload, in their order. Raises FileNotFoundError where it has no such one."""
    after = {"NextPartNumberMarker": "PartNumberMarker"}
    listed = pages(target.fs, "list_parts", after, **target.names, UploadId=upload_id)
    parts = {part["PartNumber"]: part for page in listed for part in page.get("Parts", [])}
    return [UploadedPart(number, parts[number].get("Size", -1), parts[number], None) for number in sorted(parts)]


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

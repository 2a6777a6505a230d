"""One multipart upload of one object."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchdl.transfer.sinks.s3_client import ClientParts, Pending
from airflow_provider_batchdl.transfer.sinks.s3_direct import DirectParts, RefusedError
from airflow_provider_batchdl.transfer.sinks.s3_object import ABORT_SECONDS, S3Object
from airflow_provider_batchdl.transfer.sinks.s3_signing import PartSigner, UnsignableError, signer_for

if TYPE_CHECKING:
    from airflow_provider_batchdl.transfer.sinks.part import Part

log = logging.getLogger(__name__)

MOST_PAGES = 100
"""Of a list of parts: S3 gives 1,000 on one, and there are at most 10,000."""


class MultipartUpload:
    """One multipart upload; parts are numbered as they are sent.

    Parts go straight to the store (`DirectParts`), and through the file system's client where that has reasons to send
    them itself, or where the store refuses them in the other form.

    Args:
        target: the object to be.
        direct: whether parts may go straight to the store.
        kept: the id of an upload that is there already; None begins one.
        parts: what `kept` has, as the completion will list it, from the first part on without a gap.
    """

    def __init__(
        self, target: S3Object, *, direct: bool = True, kept: str | None = None, parts: Sequence[dict[str, Any]] = ()
    ) -> None:
        self._object = target
        # The task is kept, not only its result: a signal that arrives while the store answers must not lose the id.
        self._created = target.begin(_create, target, direct, kept)
        self._begun: tuple[str, PartSigner | None] | None = None
        self._client: ClientParts | None = None
        self._direct: DirectParts | None = None
        self._refused = False
        self._flying: deque[tuple[Pending, int, Part]] = deque()
        self._parts = list(parts)
        self.parts_begun = len(self._parts)

    @property
    def upload_id(self) -> str:
        """The store's name for it. Waits until there is one."""
        return self._ready()[0]

    @property
    def in_flight(self) -> int:
        """Parts sent and not yet collected."""
        return len(self._flying)

    @property
    def collected(self) -> Sequence[dict[str, Any]]:
        """The parts that the store has, as the completion will list them."""
        return self._parts

    def send(self, body: Part) -> None:
        """Start uploading `body` as the next part."""
        self.parts_begun += 1
        upload_id, signer = self._ready()
        if signer is None or self._refused:
            way: ClientParts | DirectParts = self._by_client(upload_id)
        else:
            way = self._direct = self._direct or DirectParts(signer, upload_id)
        self._flying.append((way.send(self.parts_begun, body), self.parts_begun, body))

    def collect(self) -> None:
        """Wait for the oldest part under way, and let go of it. Raises what its upload raised."""
        pending, number, body = self._flying[0]
        try:
            answer = pending.result()
        except RefusedError as refusal:
            log.debug("Part %d was refused (%s); s3fs sends it, and those to come.", number, refusal)
            self._refused = True
            answer = self._by_client(self._ready()[0]).send(number, body).result()
        self._flying.popleft()
        self._parts.append(listing(number, answer))

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
        earlier = earlier_uploads(self._object, self._ready()[0])
        etag = self._complete()
        for upload_id in earlier:
            abort_upload(self._object, upload_id)
        return etag

    def _complete(self) -> str | None:
        try:
            wanted = {"MultipartUpload": {"Parts": self._parts}, **self._object.condition}
            answer = self._object.call("complete_multipart_upload", UploadId=self._ready()[0], **wanted)
        except Exception as error:  # noqa: BLE001  raised again there
            # A completion whose answer was lost is repeated by the client and then finds no such upload.
            answer = self._object.mine_after_all(error, composite_etag(self._parts))
        return self._object.published(answer)

    def abort(self) -> bool:
        """Stop the parts under way and abort the upload until the store no longer knows it. Never raises.

        Returns:
            Whether it is certainly gone.
        """
        try:
            self.stop()
            upload_id, _ = self._ready(timeout=ABORT_SECONDS)
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

    def _by_client(self, upload_id: str) -> ClientParts:
        if self._client is None:
            self._client = ClientParts(self._object, upload_id)
        return self._client

    def _ready(self, *, timeout: float | None = None) -> tuple[str, PartSigner | None]:
        """The upload's id, and what signs its parts, if anything does."""
        if self._begun is None:
            self._begun = self._object.wait(self._created, timeout=timeout)
        return self._begun


async def _create(target: S3Object, direct: bool, kept: str | None) -> tuple[str, PartSigner | None]:
    signer = None
    try:
        signer = await signer_for(target.fs, target.names) if direct else None
    except UnsignableError as reason:
        log.debug("s3fs sends the parts: %s.", reason)
    except Exception as error:  # noqa: BLE001  if it matters, the client meets it too, and says it better
        log.debug("s3fs sends the parts: %s.", type(error).__name__)
    if kept is not None:
        return kept, signer
    wanted = {"ChecksumAlgorithm": "CRC32"} if signer is not None and signer.checksums else {}
    answer = await target.call_async("create_multipart_upload", **wanted)
    return str(answer["UploadId"]), signer


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
    """The unfinished uploads of an object that began before `upload_id`; none where the store does not tell."""
    try:
        page = target.list_uploads()
    except Exception as error:  # noqa: BLE001  every store raises its own kinds; most keys may not list uploads
        log.debug("The store does not list unfinished uploads: %s.", type(error).__name__)
        return []
    begun = {each["UploadId"]: each["Initiated"] for each in page if each["Key"] == target.names["Key"]}
    own = begun.pop(upload_id, None)
    return [each for each, time in begun.items() if own is not None and time <= own]


def listed_parts(target: S3Object, upload_id: str) -> dict[int, dict[str, Any]]:
    """The parts that the store has of an upload, by number, each with its size and what the completion lists.

    Raises:
        FileNotFoundError: there is no such upload.
    """
    found: dict[int, dict[str, Any]] = {}
    page: dict[str, Any] = {"IsTruncated": True}
    after: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        if not page.get("IsTruncated"):
            break
        page = target.call("list_parts", UploadId=upload_id, **after)
        found |= {part["PartNumber"]: part for part in page.get("Parts", [])}
        after = {"PartNumberMarker": page.get("NextPartNumberMarker", 0)}
    return found


def listing(number: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """A part as the completion lists it: the store wants back the checksums it keeps for it, too."""
    kept = {name: value for name, value in answer.items() if name == "ETag" or name in _CHECKSUMS}
    return {"PartNumber": number, **kept}


_CHECKSUMS = frozenset(
    {"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"},
)


def composite_etag(parts: list[dict[str, Any]]) -> str | None:
    """The ETag S3 gives an object made of `parts`: MD5 over the parts' MD5s, a dash, their number.

    None where the parts' ETags are no MD5s (some encryption settings, some other stores). Documented at
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html.
    """
    try:
        digests = b"".join(bytes.fromhex(str(part["ETag"]).strip('"')) for part in parts)
    except ValueError:
        return None
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"

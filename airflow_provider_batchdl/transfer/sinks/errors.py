"""Turns exceptions of stores and file systems into a `DestinationError` that says what to do."""

from __future__ import annotations

import errno
import re
from typing import NamedTuple

from airflow_provider_batchdl._redaction.redactor import redact
from airflow_provider_batchdl._values.storable import words_of
from airflow_provider_batchdl.exceptions import DestinationError

_USERINFO = re.compile(r"(//[^/@\s:]*):[^/@\s]*@")
_BOTOCORES = re.compile(
    r"^(?:\[Errno \d+\] )?(?:An error occurred \([\w.]+\) when calling the \w+ operation(?: \([^)]*\))?: )?"
)
_QUERY = re.compile(r"(://[^\s\"'?]*)\?[^\s\"']*")


class _Known(NamedTuple):
    """Facts about one kind of refusal."""

    remedy: str
    reason: str | None = None  # what it means, where the store's own words do not say it
    # Whether it stays until somebody acts. An expired token may be renewed by the next try, a full disk cleaned up.
    final: bool = False


_CREDENTIALS = "Check the destination connection's credentials and that they may write and abort uploads there."
_REACH = "Check the destination connection's endpoint and that the worker can reach it, then retry."
_BUCKET = "Create the bucket or container, or correct the destination."
_CHECKSUM = (
    "The store seems not to support S3's checksums: set AWS_REQUEST_CHECKSUM_CALCULATION=when_required in the worker's "
    'environment, or "request_checksum_calculation": "when_required" in the connection\'s config_kwargs.'
)
_CHECKSUM_CODES = frozenset({"InvalidArgument", "InvalidRequest", "NotImplemented"})
_OF_NO_RIGHT = frozenset({"ExpiredToken", "RequestTimeTooSkewed"})

_NO_BUCKET = _Known(_BUCKET, "the bucket or container does not exist", final=True)
_DENIED = _Known(_CREDENTIALS, "access is denied", final=True)
_UNKNOWN_KEY = _Known(_CREDENTIALS, "the store does not accept the credentials", final=True)
_NO_CREDENTIALS = "there are no credentials"
_OTHER_REGION = _Known(
    'Set "region_name" in the extra of the destination\'s connection to the region of the bucket.',
    "the bucket is in another region",
    final=True,
)
_UNFINISHED = _Known(
    "Others' unfinished uploads are in the way; remove them, wait a week, or choose another destination."
)
_PERMISSION = _Known("Give the worker's user write permission on the folder or choose another destination.", final=True)
_UNREACHABLE = _Known(_REACH, "the store cannot be reached")
_BUSY = _Known("The store is overloaded or has a fault of its own; retry the task later.")
_FULL = _Known("Free some space at the store, raise its quota, or choose another destination.", "the store is full")
_KEY = _Known(
    "Check that the key of the bucket's encryption exists and is enabled, and that the connection may use it.",
    "the encryption key cannot be used",
    final=True,
)
_OTHER_WRITER = _Known("Another writer is creating the same object right now; retry the task.")

# By the store's code, an HTTP status, an error number (none of which is a status, too), or an exception's class.
_KNOWN: dict[str | int, _Known] = {
    "BadDigest": _Known(
        "Retry the task; where it happens again, something between the worker and the store changes the bytes.",
        "the store received other bytes than were sent",
    ),
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _Known(_BUCKET, "the bucket cannot have that name", final=True),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "ExpiredToken": _Known(_CREDENTIALS, "the store says that the credentials have expired"),
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _UNKNOWN_KEY,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "PermanentRedirect": _OTHER_REGION,
    "NoSuchUpload": _Known(
        "The upload was aborted by something else (a lifecycle rule, a clean-up job); retry the task."
    ),
    "EntityTooLarge": _Known("The store accepts no object of this size; choose another destination.", final=True),
    "RequestTimeTooSkewed": _Known(
        "Set the worker's clock (NTP), then retry the task.", "the worker's clock differs from the store's"
    ),
    **dict.fromkeys(("ConditionalRequestConflict", "OperationAborted"), _OTHER_WRITER),
    **dict.fromkeys(("InternalError", "ServiceUnavailable", "SlowDown", "500", "502", "503", "504"), _BUSY),
    **dict.fromkeys(("QuotaExceeded", "StorageFull", "InsufficientStorage", "XMinioStorageFull", "507"), _FULL),
    **dict.fromkeys(("KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"), _KEY),
    # Azure's: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
    "ContainerNotFound": _NO_BUCKET,
    "InvalidResourceName": _Known(_BUCKET, "the container cannot have that name", final=True),
    **dict.fromkeys(("AccountIsDisabled", "UnauthorizedBlobOverwrite"), _Known(_CREDENTIALS, final=True)),
    "AuthenticationFailed": _UNKNOWN_KEY,
    "AuthorizationFailure": _DENIED,
    "AuthorizationPermissionMismatch": _DENIED,
    "InsufficientAccountPermissions": _DENIED,
    "InvalidAuthenticationInfo": _UNKNOWN_KEY,
    "NoAuthenticationInformation": _Known(_CREDENTIALS, _NO_CREDENTIALS, final=True),
    "BlobImmutableDueToPolicy": _Known(
        "The container's policy protects what is there; choose another destination.", final=True
    ),
    "BlockCountExceedsLimit": _UNFINISHED,
    "InvalidBlobOrBlock": _UNFINISHED,
    "InvalidBlobType": _Known(
        "An append or page blob has that name; remove it or choose another destination.", final=True
    ),
    "InvalidBlockList": _Known("Another writer has published the same object in the meantime; retry the task."),
    "Md5Mismatch": _Known("Bytes changed on their way to the store; retry the task."),
    "LeaseIdMissing": _Known("Another program holds a lease on the blob: have it released, then retry the task."),
    "ServerBusy": _BUSY,
    # HTTP statuses.
    **dict.fromkeys((401, 403), _Known(_CREDENTIALS, final=True)),
    404: _Known(_BUCKET, final=True),
    410: _Known("The upload session has ended (a clean-up job, or a week has passed); retry the task."),
    # Error numbers.
    errno.ENOSPC: _Known("Free some space on the destination's file system or choose another destination."),
    errno.EDQUOT: _Known("Raise the quota of the destination's file system or choose another destination."),
    errno.EFBIG: _Known("The file system accepts no file of this size; choose another destination."),
    errno.EROFS: _Known("The file system is mounted read-only; choose another destination.", final=True),
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EISDIR: _Known(
        "The destination names a folder; end it in '/' to store the vendor's file name inside it.", final=True
    ),
    errno.ENOTDIR: _Known(
        "A part of the destination's path is a file, not a folder; correct the destination.", final=True
    ),
    errno.ENAMETOOLONG: _Known("Shorten the destination's file name.", final=True),
    errno.ENOENT: _Known(
        "Something removed a folder or a file in the meantime, or a link in the path leads nowhere; correct that, "
        "then retry the task."
    ),
    errno.EEXIST: _Known("A link in the destination's path leads nowhere; correct the link or the destination."),
    errno.ELOOP: _Known("A link in the destination's path leads back to itself; correct the link.", final=True),
    errno.ESTALE: _Known("The folder's file system was unmounted or replaced in the meantime; retry the task."),
    errno.EBUSY: _Known(
        "Another process has the file, and then a retry helps; or something is mounted at it, which no file can "
        "replace: mount its folder."
    ),
    errno.EMFILE: _Known("The worker has too many files open: raise its limit (ulimit -n)."),
    errno.EILSEQ: _Known("The file system does not take this name; choose another one.", final=True),
    # Classes.
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "ProxyConnectionError": _Known(_REACH, "the proxy on the way to the store cannot be reached"),
    **dict.fromkeys(
        (
            *("ReadTimeoutError", "ConnectionClosedError", "ClientConnectionError", "ConnectionError", "TimeoutError"),
            *("Timeout", "TransportError", "ServiceRequestError", "ServiceResponseError"),
        ),
        _Known(_REACH),
    ),
    "SSLError": _Known("Check the endpoint's certificate and the worker's trust store."),
    "NoCredentialsError": _Known(
        "Name the Airflow connection that has them in the destination, as in s3://aws_conn@bucket/key, or give the "
        "worker a role of its own.",
        _NO_CREDENTIALS,
    ),
    "PartialCredentialsError": _Known(_CREDENTIALS, "a part of the credentials is missing"),
    **dict.fromkeys(("GoogleAuthError", "ClientAuthenticationError", "PermissionError"), _Known(_CREDENTIALS)),
    **dict.fromkeys(("ParamValidationError", "FileNotFoundError"), _Known(_BUCKET)),
    "UnicodeEncodeError": _Known(
        "Give the worker a locale with UTF-8 (LC_ALL=C.UTF-8), or name the destination in ASCII.",
        "the worker's locale has not all letters of the name",
        final=True,
    ),
}
_ELSE = "See the store's message and correct the destination or its connection."


def clean(text: str) -> str:
    """Replace passwords in URLs and whole query strings (signatures, SAS tokens) by `***`."""
    return _QUERY.sub(r"\1?***", _USERINFO.sub(r"\1:***@", text))


def destination_error(uri: str, doing: str, error: BaseException) -> DestinationError:
    """The `DestinationError` for a step that failed: "<uri>: cannot <doing>: …".

    Raise it `from None` for network stores: their exceptions can carry a signed URL.
    """
    code = store_code(error)
    number, kinds = getattr(error, "errno", None), [cls.__name__ for cls in type(error).__mro__]
    kind = next((name for name in kinds if name in _KNOWN), None)
    # An error number stands for a file system's own words, unless a store's client made it up.
    last = (number, kind) if isinstance(error, OSError) and not code else (kind, number)
    known = [_KNOWN[name] for name in (code, http_status(error), *last) if name is not None and name in _KNOWN]
    remedy = known[0].remedy if known else _ELSE
    if code in _CHECKSUM_CODES and "checksum" in str(error).lower():
        remedy = _CHECKSUM
    # Azure's further lines can show what it computed a signature from.
    said = clean(redact(words_of(error))).strip().partition("\n")[0]
    reason = next((each.reason for each in known if each.reason), None)
    said = _BOTOCORES.sub("", said) if code else said
    why = f"{code or type(error).__name__}: {said.rstrip('.')}"
    return DestinationError(
        f"{clean(uri)}: cannot {doing}: {f'{reason} ({why})' if reason else why}.",
        remedy=remedy,
        retryable=not any(each.final for each in known),
    )


def ended(uri: str) -> DestinationError:
    """The error for a sink that is used after `publish` or `discard`."""
    return DestinationError(f"{clean(uri)}: already published or discarded.", remedy="Retry the task.")


def already_there(uri: str) -> DestinationError:
    """The error for a destination that must not be replaced."""
    remedy = 'Remove it, choose another destination, or let if_exists="replace" replace it.'
    return DestinationError(f"{clean(uri)} exists already.", remedy=remedy, retryable=False)


def special_file(uri: str) -> DestinationError:
    """The error for a FIFO, a device or a socket, which a result would replace."""
    remedy = "Give the name of a file; what reads from a pipe can read the file once it is there."
    return DestinationError(f"{clean(uri)} is a FIFO, a device or a socket.", remedy=remedy, retryable=False)


def no_object(uri: str) -> DestinationError:
    """The error for a destination that names a bucket or folder but no object."""
    remedy = "Give a bucket and an object name; end the destination in '/' only to name a folder."
    message = f"{clean(uri)}: cannot write: the destination names no object."
    return DestinationError(message, remedy=remedy, retryable=False)


def store_code(error: BaseException | None) -> str | None:
    """The store's error code: S3's of a botocore `ClientError`, also where s3fs has wrapped it, or Azure's."""
    for _ in range(4):
        if error is None:
            return None
        if code := getattr(error, "error_code", None):
            return str(getattr(code, "value", code))
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            code = (response.get("Error") or {}).get("Code")
            return str(code) if code else None
        error = error.__cause__ or error.__context__
    return None


def http_status(error: BaseException) -> int | None:
    """The HTTP status of a refusal by Google Cloud Storage (`GcsError`, gcsfs's `HttpError`); None where unknown."""
    if type(error) is OSError and str(error).startswith("Forbidden: "):
        return 403  # gcsfs's message; it drops the status there
    status = str(getattr(error, "status", None) or getattr(error, "code", None))
    return int(status) if status.isdecimal() else None


def is_in_the_way(error: BaseException) -> bool:
    """True if the store refused to replace an existing object (S3's code, Azure's, Google's status)."""
    if isinstance(error, FileExistsError):
        return True
    return store_code(error) in ("PreconditionFailed", "BlobAlreadyExists") or http_status(error) == 412


def is_forbidden(error: BaseException) -> bool:
    """True if the store refused this to known credentials (to a HEAD, S3 gives no code but the status).

    Not where the credentials have expired, or the clock is wrong: those say nothing of rights.
    """
    if store_code(error) in _OF_NO_RIGHT:
        return False
    statuses = (http_status(error), getattr(error, "status_code", None))  # Google's, Azure's
    return isinstance(error, PermissionError) or store_code(error) in ("AccessDenied", "403") or 403 in statuses

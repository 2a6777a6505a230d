"""Turn what a store or a file system raised into one `DestinationError` a person can act on."""

from __future__ import annotations

import errno
import re

from airflow_provider_batchdl.exceptions import DestinationError
from airflow_provider_batchdl.redaction import redact
from airflow_provider_batchdl.storable import words_of

_USERINFO = re.compile(r"(//[^/@\s:]*):[^/@\s]*@")
_QUERY = re.compile(r"(://[^\s\"'?]*)\?[^\s\"']*")

_CREDENTIALS = "Check the destination connection's credentials and that they may write and abort uploads there."
_REACH = "Check the destination connection's endpoint and that the worker can reach it, then retry."
_BUCKET = "Create the bucket or container, or correct the destination."
_UNFINISHED = "Unfinished uploads of others are in the way; remove them, wait a week, or choose another destination."
_CHECKSUM = (
    "The store seems not to know S3's checksums: set AWS_REQUEST_CHECKSUM_CALCULATION=when_required in the worker's "
    'environment, or "request_checksum_calculation": "when_required" in the connection\'s config_kwargs.'
)
_CHECKSUM_CODES = frozenset({"InvalidArgument", "InvalidRequest", "NotImplemented"})

_REMEDY_BY_CODE = {
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET,
    "AccessDenied": _CREDENTIALS,
    "AllAccessDisabled": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "NoSuchUpload": "Something else aborted the upload (a lifecycle rule, a clean-up job); retry the task.",
    "EntityTooLarge": "The store does not take an object of this size; choose another destination.",
    # Azure's: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
    "ContainerNotFound": _BUCKET,
    "InvalidResourceName": _BUCKET,
    "AccountIsDisabled": _CREDENTIALS,
    "AuthenticationFailed": _CREDENTIALS,
    "AuthorizationFailure": _CREDENTIALS,
    "AuthorizationPermissionMismatch": _CREDENTIALS,
    "InsufficientAccountPermissions": _CREDENTIALS,
    "InvalidAuthenticationInfo": _CREDENTIALS,
    "NoAuthenticationInformation": _CREDENTIALS,
    "UnauthorizedBlobOverwrite": _CREDENTIALS,
    "BlobImmutableDueToPolicy": "The container's policy protects what is there; choose another destination.",
    "BlockCountExceedsLimit": _UNFINISHED,
    "InvalidBlobOrBlock": _UNFINISHED,
    "InvalidBlobType": "An append or page blob has that name; remove it or choose another destination.",
    "InvalidBlockList": "Something else has written the same object meanwhile; retry the task.",
}
_REMEDY_BY_STATUS = {
    401: _CREDENTIALS,
    403: _CREDENTIALS,
    404: _BUCKET,
    410: "Something else ended the upload (a clean-up job, a week that passed); retry the task.",
}
_REMEDY_BY_ERRNO = {
    errno.ENOSPC: "Free some space on the destination's file system or choose another destination.",
    errno.EDQUOT: "Raise the quota of the destination's file system or choose another destination.",
    errno.EFBIG: "The file system does not take a file of this size; choose another destination.",
    errno.EROFS: "The file system is mounted read-only; choose another destination.",
    errno.EACCES: "Give the worker's user write permission on the folder or choose another destination.",
    errno.EPERM: "Give the worker's user write permission on the folder or choose another destination.",
    errno.EISDIR: "The destination names a folder; end it in '/' to store the vendor's file name inside it.",
    errno.ENOTDIR: "A part of the destination's path is a file, not a folder; correct the destination.",
    errno.ENAMETOOLONG: "Shorten the destination's file name.",
}
_REMEDY_BY_TYPE = {
    "EndpointConnectionError": _REACH,
    "ConnectTimeoutError": _REACH,
    "ReadTimeoutError": _REACH,
    "ConnectionClosedError": _REACH,
    "ProxyConnectionError": _REACH,
    "ClientConnectionError": _REACH,
    "TimeoutError": _REACH,
    "GoogleAuthError": _CREDENTIALS,
    "SSLError": "Check the endpoint's certificate and the worker's trust store.",
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "ParamValidationError": _BUCKET,
    "FileNotFoundError": _BUCKET,
    "PermissionError": _CREDENTIALS,
    "ClientAuthenticationError": _CREDENTIALS,
    "ServiceRequestError": _REACH,
    "ServiceResponseError": _REACH,
}
# These stay until somebody acts. A token that expired may have been renewed by the next try, and a disk cleaned up.
_FINAL_CODES = frozenset(
    {
        "AccessDenied",
        "AccountIsDisabled",
        "AllAccessDisabled",
        "AuthenticationFailed",
        "AuthorizationFailure",
        "AuthorizationPermissionMismatch",
        "BlobImmutableDueToPolicy",
        "ContainerNotFound",
        "EntityTooLarge",
        "InsufficientAccountPermissions",
        "InvalidAccessKeyId",
        "InvalidAuthenticationInfo",
        "InvalidBlobType",
        "InvalidBucketName",
        "InvalidResourceName",
        "NoAuthenticationInformation",
        "NoSuchBucket",
        "SignatureDoesNotMatch",
        "UnauthorizedBlobOverwrite",
    }
)
_FINAL_STATUSES = frozenset({401, 403, 404})
_FINAL_ERRNOS = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})
_ELSE = "Look up what the store said and correct the destination or its connection."


def clean(text: str) -> str:
    """`text` with passwords in addresses and whole query strings (signatures, SAS tokens) replaced by `***`."""
    return _QUERY.sub(r"\1?***", _USERINFO.sub(r"\1:***@", text))


def destination_error(uri: str, doing: str, error: BaseException) -> DestinationError:
    """Describe a failed step at the destination.

    Args:
        uri: the object or file being written.
        doing: the step, as "cannot <doing>".
        error: what was raised: an `OSError`, a botocore error or any store's own.

    Returns:
        The error to raise. Raise it `from None` for network stores: what they raise can carry a signed address.
    """
    code = store_code(error)
    status = http_status(error)
    # Azure's further lines can show what it computed a signature from.
    said = clean(redact(words_of(error))).strip().partition("\n")[0]
    label = " ".join(part for part in (type(error).__name__, code) if part)
    return DestinationError(
        f"{clean(uri)}: cannot {doing}: {label}: {said.rstrip('.')}.",
        remedy=_remedy(error, code, status),
        retryable=code not in _FINAL_CODES
        and status not in _FINAL_STATUSES
        and getattr(error, "errno", None) not in _FINAL_ERRNOS,
    )


def ended(uri: str) -> DestinationError:
    """The error for using a sink after `publish` or `discard`."""
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
    """The HTTP status of a Google Cloud Storage refusal, where it is known: `GcsError`, and gcsfs's `HttpError`."""
    if type(error) is OSError and str(error).startswith("Forbidden: "):
        return 403  # gcsfs's words; it keeps no status there
    status = str(getattr(error, "status", None) or getattr(error, "code", None))
    return int(status) if status.isdecimal() else None


def _remedy(error: BaseException, code: str | None, status: int | None) -> str:
    if code in _CHECKSUM_CODES and "checksum" in str(error).lower():
        return _CHECKSUM
    if code in _REMEDY_BY_CODE:
        return _REMEDY_BY_CODE[code]
    if status in _REMEDY_BY_STATUS:
        return _REMEDY_BY_STATUS[status]
    for name in (cls.__name__ for cls in type(error).__mro__):
        if name in _REMEDY_BY_TYPE and (code or not isinstance(error, OSError)):
            return _REMEDY_BY_TYPE[name]
    if isinstance(error, OSError) and error.errno in _REMEDY_BY_ERRNO:
        return _REMEDY_BY_ERRNO[error.errno]
    return next((_REMEDY_BY_TYPE[c.__name__] for c in type(error).__mro__ if c.__name__ in _REMEDY_BY_TYPE), _ELSE)

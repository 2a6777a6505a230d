"""Download options: names, defaults, checks and help texts, from operators to the engine.

A new option is a field of `DownloadOptions`, a member of `DownloadKeywords`, and its effect in the engine. Operators,
task group, hook and command line take it from here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, get_args

from airflow_provider_batchdl._values import arguments

IfExists: TypeAlias = Literal["replace", "error", "skip"]
Keep: TypeAlias = Literal["all", "latest"]
OnEmpty: TypeAlias = Literal["fail", "skip", "land"]
Sha256: TypeAlias = bool | Literal["required"]

__all__ = ["DownloadKeywords", "DownloadOptions", "IfExists", "Keep", "OnEmpty"]

F = TypeVar("F", bound=Callable[..., Any])


class DownloadKeywords(TypedDict, total=False):
    """Fields of `DownloadOptions` as keyword arguments."""

    accept_partial: bool
    manifest: bool | None
    if_exists: IfExists
    keep: Keep
    on_empty: OnEmpty
    sha256: Sha256
    max_connections: int | None
    count_gzip_rows: bool
    join_pages: bool


def _shell(text: str, **settings: Any) -> dict[str, Any]:
    """Arguments for `argparse` of an option on the command line; a flag without further settings."""
    return {"help": text, **settings}


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """Options of a download.

    Args:
        accept_partial: download the partial results of a job that did not succeed, if the vendor keeps them: a
            cancelled job's, or an expired one's.
        manifest: whether to write ``_manifest.json``; None for only beside several files, or with ``"skip"``.
        if_exists: what to do with an existing object at the destination. ``"replace"`` replaces it once the new result
            is whole. ``"error"`` raises before anything is downloaded, and also if the object appears during the
            download; objects that an earlier, failed try published count, too. ``"skip"`` downloads nothing if the
            manifest there says that it is this job's result, unchanged; otherwise it replaces it. It contradicts
            ``manifest=False``.
        keep: what to do with a previous result under another name, as each job leaves one in a folder. ``"all"`` keeps
            it; ``"latest"`` deletes it once the new result and its manifest are published: the files that the old
            manifest names, and no others. Such a folder is for one task, and always has a manifest.
        on_empty: what to do if a job succeeded and lists no result file. ``"fail"`` raises; ``"skip"`` changes
            nothing, and skips an Airflow task; ``"land"`` deletes the previous result. A file of 0 bytes is a result.
        sha256: whether to compute the files' SHA-256; a checksum that the source declares is checked in any case. True
            computes it unless another process resumes an upload to S3, which cannot: then it is None, and logged.
            ``"required"`` restarts such an upload from byte 0.
        max_connections: most connections for one large file, used if a single one is slower than the worker and the
            source serves ranges; None for 8, 1 for never more than one.
        count_gzip_rows: whether to decompress gzip files for their ``rows`` and their own checksum. This costs some
            seconds of CPU per GiB of content, a third less with the extra ``fast``.
        join_pages: whether to join a CSV that the vendor serves in pages into one file with one header. Each page is
            stored on the worker's disk until it is verified. Otherwise each page is a part of its own.

    Raises:
        InvalidArgumentError: a value that an option cannot have; also a ``ValueError``.
    """

    accept_partial: bool = field(
        default=False,
        metadata=_shell("Download the partial results of a job that did not succeed, if the vendor keeps them"),
    )
    manifest: bool | None = field(default=None, metadata=_shell("Write _manifest.json (default: beside several files)"))
    if_exists: IfExists = field(
        default="replace",
        metadata=_shell(
            "What to do with an existing object at the destination (default: replace)", choices=get_args(IfExists)
        ),
    )
    keep: Keep = field(
        default="all",
        metadata=_shell("What to do with a previous result under another name (default: all)", choices=get_args(Keep)),
    )
    on_empty: OnEmpty = field(
        default="fail",
        metadata=_shell("What to do if a job has no result file (default: fail)", choices=get_args(OnEmpty)),
    )
    sha256: Sha256 = field(default=True, metadata=_shell("Compute the files' SHA-256 (default: yes)"))
    max_connections: int | None = field(
        default=None, metadata=_shell("Most connections for one large file (default: 8)", type=int)
    )

    count_gzip_rows: bool = field(default=False, metadata=_shell("Decompress gzip files to count their rows"))
    join_pages: bool = field(default=False, metadata=_shell("Join the pages of a CSV into one file with one header"))

    def __post_init__(self) -> None:
        arguments.flag("accept_partial", self.accept_partial)
        if self.manifest is not None:
            arguments.flag("manifest", self.manifest)
        arguments.choice("if_exists", self.if_exists, get_args(IfExists))
        arguments.choice("keep", self.keep, get_args(Keep))
        if self.keep == "latest" and (self.manifest is False or self.if_exists == "error"):
            other = "manifest" if self.manifest is False else "if_exists"
            raise arguments.refusal("keep", self.keep, f'"all" where {other} is {getattr(self, other)!r}')
        if self.if_exists == "skip" and self.manifest is False:
            raise arguments.refusal("if_exists", "skip", '"replace" where manifest is False: it is what lets it skip')
        arguments.choice("on_empty", self.on_empty, get_args(OnEmpty))
        if self.sha256 != "required":
            arguments.flag("sha256", self.sha256, other='"required"')
        arguments.flag("count_gzip_rows", self.count_gzip_rows)
        arguments.flag("join_pages", self.join_pages)
        if self.max_connections is not None:
            arguments.whole_number("max_connections", self.max_connections, least=1)

    def writes_manifest(self, files: int) -> bool:
        """True if a result of so many files gets a manifest."""
        wanted = files != 1 or self.if_exists == "skip" or self.keep == "latest"
        return wanted if self.manifest is None else self.manifest

    def having(self, changes: DownloadKeywords) -> DownloadOptions:
        """A copy with ``changes``.

        Raises:
            InvalidArgumentError: a value that an option cannot have.
            TypeError: there is no such option.
        """
        if unknown := next((name for name in changes if name not in NAMES), None):
            from difflib import get_close_matches  # every `airflow` command loads this module

            meant = get_close_matches(unknown, NAMES, 1)
            raise TypeError(f"There is no option {unknown!r}{f': did you mean {meant[0]!r}?' if meant else '.'}")
        is_changed = any(getattr(self, name, changes) is not value for name, value in changes.items())
        return replace(self, **changes) if is_changed else self


DEFAULTS = DownloadOptions()
NAMES = tuple(each.name for each in fields(DownloadOptions))


def spell_out(function: F) -> F:
    """Add each option to the signature of a function that takes them as ``**keywords``.

    Airflow reads the signature for ``default_args`` and for arguments that can be mapped; so do people.
    """
    signature = inspect.signature(function)
    *named, keywords = signature.parameters.values()
    options = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(DownloadOptions)
    ]
    rest = [] if keywords.name == "given" else [keywords]  # these are the options, and nothing else
    function.__signature__ = signature.replace(parameters=[*named, *options, *rest])  # type: ignore[attr-defined]
    return function

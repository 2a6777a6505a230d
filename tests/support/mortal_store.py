"""A store whose client dies before one of its calls."""

from __future__ import annotations

from typing import Any, ClassVar

from fsspec.implementations.memory import MemoryFileSystem


class Killed(BaseException):
    """What no code of ours catches."""


class MortalStore(MemoryFileSystem):  # type: ignore[misc]
    """A store whose client dies before a call that changes something, and changes nothing from then on."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    protocol: ClassVar[str] = "mortal"
    left: ClassVar[int] = -1

    def _live(self) -> None:
        cls = type(self)
        if cls.left == 0:
            raise Killed
        cls.left -= 1

    def rm_file(self, path: str) -> None:
        self._live()
        super().rm_file(path)

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        self._live()
        super().cp_file(path1, path2, **kwargs)

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        self._live()
        super().pipe_file(path, value, mode, **kwargs)

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if "w" in mode:
            self._live()
        return super().open(path, mode, **kwargs)

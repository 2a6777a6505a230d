"""Local files: a partial in `.batchdl` beside the target, then a rename."""

__all__: list[str] = []

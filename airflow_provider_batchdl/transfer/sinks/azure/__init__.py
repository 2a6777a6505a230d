"""Azure Blob Storage: blocks, committed last."""

__all__: list[str] = []

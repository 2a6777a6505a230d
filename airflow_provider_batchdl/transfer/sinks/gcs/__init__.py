"""Google Cloud Storage: a resumable upload, finished last."""

__all__: list[str] = []

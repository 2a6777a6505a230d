"""S3 and stores that speak its API: a multipart upload, completed last."""

__all__: list[str] = []

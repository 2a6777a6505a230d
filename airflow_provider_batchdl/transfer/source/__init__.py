"""From a link to verified HTTP bytes: connections, redirects, resume, framing, codings."""

__all__: list[str] = []

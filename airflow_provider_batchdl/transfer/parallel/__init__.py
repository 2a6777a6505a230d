"""Several connections for one file, where a single one does not use the bandwidth.

`division` decides and reassembles the file, `fetch` runs the connections, `plan` assigns ranges to them, `scaling`
chooses their number.
"""

from __future__ import annotations

__all__ = ["MAX_CONNECTIONS"]

MAX_CONNECTIONS = 8
"""Default for the most connections of one file."""

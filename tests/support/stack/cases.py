"""Which stacks a case of the matrix runs on: both, unless it says otherwise."""

from __future__ import annotations

import pytest

LOCAL = pytest.param("local", marks=pytest.mark.long)
DISTRIBUTED = pytest.param("distributed", marks=pytest.mark.distributed)

local_only = pytest.mark.parametrize("stack", [LOCAL], indirect=True)
distributed_only = pytest.mark.parametrize("stack", [DISTRIBUTED], indirect=True)

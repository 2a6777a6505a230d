"""Types of the arguments ``on_uncertain_submit`` and ``on_changed_input``."""

from __future__ import annotations

from typing import Literal, TypeAlias

OnUncertainSubmit: TypeAlias = Literal["fail", "resubmit"]
OnChangedInput: TypeAlias = Literal["fail", "resubmit"]

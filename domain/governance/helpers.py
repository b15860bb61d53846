"""The helpers: what the engine uses over all nodes and can do without."""

from collections.abc import Callable
from typing import Literal

Helper = Literal["limits", "signals", "stream_buffers"]
HelperState = Literal["ok", "degraded"]
# Told of each change of a helper's state: why it degraded, or `None` when it is restored.
HelperChanged = Callable[[Helper, str | None], None]

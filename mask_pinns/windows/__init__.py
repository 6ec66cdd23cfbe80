"""Time windows: one solution made of several networks, one after the other in time.

`spans.py` cuts the time of a problem, `window.py` makes the problem of one window, `handover.py` the values with which
it begins, `handing.py` its first weights, `network.py` the network that knows all windows. `cli/training/sequence.py`
trains them one after the other.
"""

from mask_pinns.windows.handing import blend, jumps
from mask_pinns.windows.network import WindowedNetwork, assemble_windows, joined
from mask_pinns.windows.spans import AUTO, equal_ends, resolved
from mask_pinns.windows.window import require_windows, window_of

__all__ = [
    "AUTO", "WindowedNetwork", "assemble_windows", "blend", "equal_ends", "joined", "jumps", "require_windows",
    "resolved", "window_of",
]  # fmt: skip

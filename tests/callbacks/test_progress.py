"""The progress line on terminals of several widths: the step and the time left are never cut off."""

from __future__ import annotations

import io
import re

import pytest
from helpers import fit, module
from rich.console import Console

from mask_pinns.callbacks import Progress, Throughput

STEP, LEFT, BAR = r"(?<!\d)40/40(?!\d)", r"left \d+:\d\d:\d\d", "━━━"
LOSS, ERROR, FRESH = r"loss \d\.\d{3}e[-+]\d\d", r"rel L2 \d\.\d{3}e[-+]\d\d", r"fresh \d\.\d{3}e[-+]\d\d"
SHOWN = {
    30: [STEP, LEFT],
    45: [STEP, LEFT, LOSS],
    80: [STEP, LEFT, LOSS, ERROR, "adam"],
    120: [STEP, LEFT, LOSS, ERROR, BAR, "adam", FRESH],
    160: [STEP, LEFT, LOSS, ERROR, BAR, "adam", FRESH, r"points/s", r"  ?\d:\d\d:\d\d"],
}


@pytest.mark.parametrize("width", SHOWN)
def test_a_narrow_terminal_shows_fewer_parts(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    throughput = Throughput()
    fit(module(), 40, callbacks=[throughput, Progress(throughput, seconds=0.0, console=console)])
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d?;]*[A-Za-z]", "\n", stream.getvalue()).splitlines()]
    last = [line for line in lines if line][-1]
    assert len(last) <= width and "…" not in last
    for part in SHOWN[width]:
        assert re.search(part, last), last


def test_the_parts_keep_their_order() -> None:
    """Whatever is left out, the reader finds a part at its side of another."""
    stream = io.StringIO()
    console = Console(file=stream, width=200, force_terminal=True, color_system=None)
    throughput = Throughput()
    fit(module(), 40, callbacks=[throughput, Progress(throughput, seconds=0.0, console=console)])
    places = [stream.getvalue().rindex(part) for part in (BAR, "40/40", "adam", "loss", "fresh", "rel L2", "left")]
    assert places == sorted(places)

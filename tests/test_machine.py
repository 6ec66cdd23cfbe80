"""How a process prepares for its machine: what it sets, and that it never replaces what the user has set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from mask_pinns.process.machine import KEEPING, TURNS, WAITING, described

SHOWN = """
import os, sys
from mask_pinns.process.machine import prepare
{before}
prepare()
print(os.environ.get("GOMP_SPINCOUNT"))
"""


def prepared(before: str = "", **environment: str) -> str:
    """What stands in GOMP_SPINCOUNT after `prepare` in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if k not in (*WAITING, *KEEPING)}
    words = [sys.executable, "-c", SHOWN.format(before=before)]
    result = subprocess.run(words, env=clean | environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="set on Linux only")
def test_threads_are_told_to_wait_for_a_bounded_time() -> None:
    assert prepared() == TURNS


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "active"}, "None"), ({"KMP_BLOCKTIME": "0"}, "None")],
)
def test_what_the_user_has_set_stays(environment: dict[str, str], expected: str) -> None:
    assert prepared(**environment) == expected


@pytest.mark.parametrize("before", ["sys.platform = 'darwin'", "sys.modules['torch'] = None"])
def test_other_systems_and_a_torch_that_has_begun_are_left_alone(before: str) -> None:
    assert prepared(before) == "None"


def test_the_plan_says_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    assert described(2) == "2 for each operation"
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert described(2) == "2 for each operation; they wait by GOMP_SPINCOUNT=1000"
    assert described(1) == "1 for each operation"

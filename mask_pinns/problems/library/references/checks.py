"""The checks with which every script of a reference ends: they are printed and asserted."""

from collections.abc import Mapping


def require(checks: Mapping[str, tuple[float, float]]) -> None:
    """Prints each check, name: (largest difference, largest allowed), and asserts that it holds."""
    for name, (difference, allowed) in checks.items():
        print(f"{name}: largest difference {difference:.1e} (allowed {allowed:.0e})")
        assert difference < allowed, name

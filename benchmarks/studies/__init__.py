"""Comparisons over grids of runs: grid.py defines the runs, runner.py runs them, evidence.py compares the results."""

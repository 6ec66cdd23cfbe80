"""Comparisons over grids of runs: grid.py says what is run, runner.py runs it, evidence.py says what it shows."""

"""The command fit with `--windows`: `sequence.py` trains the windows, `record.py` tells how far they are."""

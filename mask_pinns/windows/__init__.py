"""Time windows, one solution made of several networks, one after the other in time: planned, this package is empty.

Each window will begin exactly where the one before it ends (`networks/exact/`), and be trained by a
`MaskPINN` of its own; `cli/fit.py` will run them, one after the other, as one run.
"""

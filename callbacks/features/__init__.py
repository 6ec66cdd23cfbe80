"""Statistics of the features of every layer, recorded at fixed probe points at intervals of training.

`statistics.py` is the callback. `probes.py` captures the layers, `distributions.py` has the formulas, and `observer.py`
applies them to a network. `alarms.py` warns of problems, `drift_table.py` writes drift.csv, and `glossary.py` explains
the quantities.
"""

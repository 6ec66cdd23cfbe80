"""Statistics of the features of every layer, recorded at fixed probe points at intervals of training.

`callback.py` has the callback `FeatureStatistics`. `probes.py` captures the layers. `statistics.py` computes the
numbers of one layer with the formulas in `distributions.py`, `observer.py` those of a network, with drift. `alarms.py`
warns of problems, `drift_table.py` writes drift.csv, and `glossary.py` explains the quantities.
"""

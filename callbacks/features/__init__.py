"""Statistics of the features: what every layer does at fixed probe points, at intervals of training.

`callback.py` is the callback `FeatureStatistics`. `probes.py` captures the layers, `statistics.py` makes numbers of one
of them by the formulas of `distributions.py`, `observer.py` of a whole network, with drift. `alarms.py` warns,
`drift_table.py` writes drift.csv, and `glossary.py` explains the quantities.
"""

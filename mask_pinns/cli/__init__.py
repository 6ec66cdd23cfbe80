"""The command line: turns the words of a command into a run.

`parser.py`, `configuration.py` and `checks.py` make a checked configuration, and import neither torch nor Lightning.
`run.py` executes one command with it, in a folder (`run_folder.py`), on a Trainer (`trainer.py`), at intervals
(`intervals.py`). `plan.py` makes the plan that is printed before training.
"""

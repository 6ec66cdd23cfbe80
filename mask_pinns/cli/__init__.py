"""The command line: turns the words of a command into a run.

`parser.py`, `configuration.py`, `checks.py` and `settings.py` make a checked configuration. `run.py` executes one
command with it, in a folder (`run_folder.py`), on a Trainer (`trainer.py`), at intervals (`intervals.py`). `plan.py`
makes the plan that is printed before training.
"""

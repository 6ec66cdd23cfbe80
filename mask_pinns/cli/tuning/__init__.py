"""The command tune: `space.py` says what can be searched, `trial.py` trains a trial, `command.py` has all of them."""

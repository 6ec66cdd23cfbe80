"""Tuning: a search among a few settings for the smallest loss at fresh points, by Optuna.

`search.py` reads what is searched, `study.py` has the trials and proposes the next one, `observer.py` reports a trial
while it trains, `figures.py` and `page.py` show the study. `cli/tuning/` makes a run of each trial.
"""

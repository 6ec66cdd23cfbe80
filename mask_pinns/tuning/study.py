"""`Study`: the trials of a search in a file, and the settings of the next one, by Optuna.

The next settings are a pure function of the seed and of the trials before: the sampler is seeded anew for each trial.
So the same study twice gives the same trials, and one that was interrupted goes on as if it had not been.

A trial ends as done, pruned or failed. One that was killed is marked as failed too, and repeated; it does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from mask_pinns.tuning.search import Choice, Range, Space

RANDOM_TRIALS = 6
"""Trials with random settings, before the sampler proposes by what it has seen."""
UNJUDGED_TRIALS = 4
"""Trials before the first one that can be pruned."""
UNJUDGED_SHARE = 0.25
"""Share of a trial's steps in which it is not pruned."""
MOST_REPEATED = 30
"""So often in a row settings may be proposed that were tried before, until the search counts as exhausted."""
NAME = "tune"
REPEATED, SAME, REASON = "repeated", "same_as", "reason"
"""Attributes of failed trials: one that was killed, one that is another one again, and why it failed."""
STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True)
class Outcome:
    """A trial that has ended.

    Attributes:
        number: its number in the study; its run folder is trial-<number>.
        settings: the values of what is searched.
        state: done, pruned or failed.
        loss: the smallest loss at fresh points, relative to the one at the start of the study; None if it failed.
        steps: of its training.
        seconds: time of it.
        reason: why it failed, or was killed.
        again: whether it was killed, and is repeated.
    """

    number: int
    settings: dict[str, Any]
    state: str
    loss: float | None
    steps: int
    seconds: float
    reason: str
    again: bool

    @property
    def name(self) -> str:
        """The name of its run folder."""
        return f"trial-{self.number}"


class Study:
    """A search among settings for the smallest loss.

    Args:
        file: where its trials are, a database of SQLite; it is made if it does not exist.
        space: what is searched.
        seed: seed of what is proposed.
        steps: steps of a trial; 0: trials are not pruned.
        first: settings of the first trial, as far as the space has them.

    Raises:
        ValueError: a file that is no study, or one of another search.
    """

    def __init__(self, file: Path, space: Space, seed: int, steps: int, first: Mapping[str, Any]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space, self.seed, self.prunes = space, seed, steps > 0
        # The median needs no shortest length of a trial, as Hyperband does, which serves hundreds of them.
        pruner = optuna.pruners.MedianPruner(UNJUDGED_TRIALS, int(UNJUDGED_SHARE * steps))
        new = not file.is_file()
        try:
            self._storage = optuna.storages.RDBStorage(URL.create("sqlite", database=str(file)).render_as_string())
            self._study = optuna.create_study(
                storage=self._storage, study_name=NAME, pruner=pruner, load_if_exists=True
            )
            self._same_search(file)
        except (SQLAlchemyError, RuntimeError) as error:  # of another version of Optuna
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"{file} cannot be read as a study ({reason}); begin a new one without --resume"
            ) from error
        self._first = {name: value for name, value in first.items() if name in space and space[name].contains(value)}
        if new and self._first:
            self._study.enqueue_trial(self._first)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.put_back(trial, "killed")  # by a session that has ended: the study's folder is locked

    def close(self) -> None:
        """Closes the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    # ---- trials -------------------------------------------------------------------------------------------------

    @property
    def counted(self) -> list[Outcome]:
        """The trials that have ended, but for those that were killed."""
        return [outcome for outcome in self.outcomes if not outcome.again]

    @property
    def outcomes(self) -> list[Outcome]:
        """All trials that have ended."""
        ended = self._study.get_trials(deepcopy=False, states=tuple(STATES))
        return [self._outcome(trial) for trial in ended if SAME not in trial.user_attrs]

    @property
    def best(self) -> Outcome | None:
        """The trial with the smallest loss; the earliest of several; None if none is done."""
        done = [outcome for outcome in self.counted if outcome.state == "done" and outcome.loss is not None]
        return min(done, key=lambda outcome: outcome.loss or 0.0, default=None)

    def reports(self, outcome: Outcome) -> dict[int, float]:
        """The losses of a trial by step, as they were reported."""
        return self._study.get_trials(deepcopy=False)[outcome.number].intermediate_values

    def importances(self) -> dict[str, float]:
        """How much each setting decides about the loss, in shares of one; empty if too few trials tell.

        By PED-ANOVA (Watanabe, Bansal & Hutter 2023), of all trials that are done.
        """
        if len(self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < UNJUDGED_TRIALS:
            return {}
        try:
            shares = optuna.importance.get_param_importances(self._study)
        except (ValueError, RuntimeError):  # of trials that are all alike
            return {}
        return {name: share for name, share in shares.items() if np.isfinite(share)}

    def next(self) -> tuple[Trial, dict[str, Any]] | None:
        """Begins the next trial, and returns it with its settings; None if all that can be tried was tried."""
        for _ in range(MOST_REPEATED):
            trial = self._ask()
            settings = {name: self._rounded(name, value) for name, value in trial.params.items()}
            before = next((o for o in self.counted if o.settings == settings), None)
            trial.set_user_attr("settings", settings)
            if before is None:
                return trial, settings
            trial.set_user_attr(SAME, before.number)
            self._study.tell(trial, state=TrialState.FAIL)
        return None

    def put_back(self, trial: Trial | FrozenTrial, reason: str) -> None:
        """Marks a trial that did not come to its end as failed; its settings are tried again."""
        self._mark(trial, **{REPEATED: True, REASON: reason})
        self._study.tell(trial.number, state=TrialState.FAIL)
        if trial.params.keys() == self.space.keys():
            self._study.enqueue_trial(trial.params)

    def fail(self, trial: Trial, reason: str, seconds: float) -> None:
        """Ends a trial without a loss."""
        self._mark(trial, **{REASON: reason, "seconds": seconds})
        self._study.tell(trial, state=TrialState.FAIL)

    def end(self, trial: Trial, loss: float, pruned: bool, steps: int, seconds: float) -> None:
        """Ends a trial with its smallest loss."""
        self._mark(trial, loss=loss, steps=steps, seconds=seconds)
        if pruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, loss)

    def _same_search(self, file: Path) -> None:
        """Raises ValueError if the study was begun with another search."""
        searched = {name: repr(values) for name, values in self.space.items()}
        if (begun := self._study.user_attrs.get("search", searched)) != searched:
            raise ValueError(f"{file} was begun with another search, of {', '.join(begun)}: begin a new study")
        self._study.set_user_attr("search", searched)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _ask(self) -> Trial:
        """The next trial, by a sampler whose seed follows from the number of trials, without those that were killed."""
        asked = [t for t in self._study.get_trials(deepcopy=False, states=tuple(STATES)) if not self._again(t)]
        seed = int(np.random.SeedSequence([self.seed, len(asked)]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=seed)
        return self._study.ask({name: distribution(values) for name, values in self.space.items()})

    def _rounded(self, name: str, value: Any) -> Any:
        return value if value == self._first.get(name) else self.space[name].rounded(value)

    def _mark(self, trial: Trial | FrozenTrial, **attributes: Any) -> None:
        for key, value in attributes.items():
            self._storage.set_trial_user_attr(trial._trial_id, key, value)

    @staticmethod
    def _again(trial: FrozenTrial) -> bool:
        return bool(trial.user_attrs.get(REPEATED))

    def _outcome(self, trial: FrozenTrial) -> Outcome:
        known = trial.user_attrs
        return Outcome(
            trial.number, known.get("settings", trial.params), STATES[trial.state], known.get("loss"),
            known.get("steps", 0), known.get("seconds", 0.0), known.get(REASON, ""), self._again(trial),
        )  # fmt: skip


def distribution(values: Range | Choice) -> BaseDistribution:
    """The same values, as Optuna describes them."""
    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)

"""Candidates that Optuna draws: at random, or by its tree-structured Parzen estimator (TPE)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mvlpt.errors import MissingExtraError
from mvlpt.experiment.search.space import Space


class Study:
    """Draws candidates, and learns from their scores; the same seed and scores give the same candidates.

    Args:
        space: what to draw from.
        method: ``random`` or ``tpe``.
        seed: of the draws.

    Raises:
        MissingExtraError: Optuna is not installed.
    """

    def __init__(self, space: Space, method: str, seed: int) -> None:
        if find_spec("optuna") is None:
            raise MissingExtraError(f"search.method {method} needs Optuna; pip install 'mvlpt[search]'")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._trials = space, []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of options that are experimental
            if method == "tpe":
                sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=4)
            else:
                sampler = optuna.samplers.RandomSampler(seed=seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)

    def ask(self, count: int) -> list[dict[str, Any]]:
        """So many candidates."""
        self._trials = [self._study.ask() for _ in range(count)]
        return [{key: _draw(trial, key, values) for key, values in self._space.swept.items()} for trial in self._trials]

    def learn(self, scores: Sequence[float]) -> None:
        """Takes the scores of the candidates that were asked for last."""
        for trial, score in zip(self._trials, scores, strict=True):
            self._study.tell(trial, score)
        self._trials = []


def _draw(trial: Any, key: str, values: Any) -> Any:
    if not isinstance(values, Mapping):  # by position: Optuna takes no lists as values
        return values[trial.suggest_categorical(key, list(range(len(values))))]
    if values["whole"]:
        return trial.suggest_int(key, int(values["low"]), int(values["high"]), step=int(values.get("step") or 1),
                                 log=bool(values.get("log")))  # fmt: skip
    number = trial.suggest_float(key, values["low"], values["high"], step=values.get("step"),
                                 log=bool(values.get("log")))  # fmt: skip
    return float(f"{number:.4g}")  # as short as people write it, and as results show it

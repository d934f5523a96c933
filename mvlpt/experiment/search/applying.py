"""Applies values of options to an experiment that lists several."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mvlpt.arms import ARMS
from mvlpt.experiment.search.space import choosing_arm, measured_arms, searches, space_of
from mvlpt.experiment.spec import Experiment


def with_options(experiment: Experiment, choices: Mapping[tuple[str, str], Mapping[str, Any]]) -> Experiment:
    """The experiment with the values that were chosen; arms that were not measured take those of another arm."""
    names = experiment.trainer_names()
    arms = dict.fromkeys(("", "source", *ARMS))
    spaces = {arm: space_of(experiment, arm) for arm in arms}
    chosen = {
        (trainer, arm): {
            key: value
            for key, value in choices.get((names[trainer], choosing_arm(experiment, arm)), {}).items()
            if key in spaces[arm].swept
        }
        for trainer in experiment.trainers
        for arm in arms
    }
    own = {
        arm: {key: value for key, value in given.items() if key not in spaces[arm].swept}
        for arm, given in experiment.arm_options.items()
    }
    source = {key: value for key, value in experiment.source_options.items() if key not in spaces["source"].swept}
    return dataclasses.replace(
        experiment,
        options=spaces[""].fixed,
        arm_options=own,
        source_options=source,
        search={},
        chosen_options=chosen,
    )


def with_first_values(experiment: Experiment) -> Experiment:
    """The experiment with the first of the values that it lists, and the lower ends of ranges."""
    if not searches(experiment):
        return experiment
    names = experiment.trainer_names()
    first = {
        (names[trainer], arm): {key: _first(values) for key, values in space_of(experiment, arm).swept.items()}
        for trainer in experiment.trainers
        for arm in measured_arms(experiment)
    }
    return with_options(experiment, first)


def _first(values: Any) -> Any:
    return values["low"] if isinstance(values, Mapping) else values[0]

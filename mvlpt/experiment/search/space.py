"""Which options of an experiment are to be chosen, and from which values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mvlpt.config import get_cfg_default
from mvlpt.engine import extend_config
from mvlpt.errors import ConfigError
from mvlpt.experiment.search.settings import SearchSettings
from mvlpt.experiment.spec import Experiment

Values = tuple[Any, ...] | Mapping[str, Any]  # a list of values, or a range
MEASURED = ("single", "all")  # the arms in which candidates are tried; other arms take what these choose
MOST = 1000  # candidates of a grid


@dataclass(frozen=True)
class Space:
    """The options to be chosen for one arm.

    Attributes:
        swept: option to its values.
        fixed: the other options of the arm.
    """

    swept: Mapping[str, Values]
    fixed: Mapping[str, Any]

    @property
    def has_ranges(self) -> bool:
        """Whether a grid would have no end."""
        return any(isinstance(values, Mapping) for values in self.swept.values())

    def grid(self) -> list[dict[str, Any]]:
        """Every combination of listed values, the last option changing fastest.

        Raises:
            ConfigError: there are more than :data:`MOST`.
        """
        count = 1
        for values in self.swept.values():
            count *= len(values)
        if count > MOST:
            raise ConfigError(
                f"The grid of {', '.join(self.swept)} has {count:,} candidates, more than {MOST:,}; list fewer"
                " values, or set search: {method: random, budget: ...}"
            )
        return [dict(zip(self.swept, values, strict=True)) for values in itertools.product(*self.swept.values())]


def is_sweep(key: str, value: Any, default: Any) -> bool:
    """Whether the value of an option in an experiment file lists candidates.

    For an option whose own value is a list, such as ``INPUT.SIZE``, it does only if it lists lists.
    """
    if not isinstance(value, (list, tuple)):
        return False
    if isinstance(default, (list, tuple)):
        return len(value) > 0 and all(isinstance(one, (list, tuple)) for one in value)
    return True


def searches(experiment: Experiment) -> bool:
    """Whether an experiment leaves values of options to be chosen. Its plugins must be registered."""
    defaults = _defaults()
    given = [experiment.options, experiment.source_options, *experiment.arm_options.values()]
    listed = any(is_sweep(key, value, defaults.get(key)) for options in given for key, value in options.items())
    return listed or bool(experiment.search)


def measured_arms(experiment: Experiment) -> tuple[str, ...]:
    """The arms in which candidates are tried: ``single`` and ``all``, those that are compared, or else one of them."""
    arms = tuple(arm for arm in MEASURED if arm in experiment.arms)
    return arms or (("all",) if len(experiment.tasks) > 1 else ("single",))


def choosing_arm(experiment: Experiment, arm: str) -> str:
    """The arm whose choice another arm takes: its own, or else that of ``all``, or else of ``single``."""
    arms = measured_arms(experiment)
    return arm if arm in arms else arms[-1]


def space_of(experiment: Experiment, arm: str) -> Space:
    """What is to be chosen for an arm: lists among its options, and ``search.options``.

    Raises:
        ConfigError: a list has fewer than two values, names one twice, or holds one that its option cannot take.
    """
    settings, defaults = SearchSettings.from_section(experiment.search), _defaults()
    special = experiment.source_options if arm == "source" else experiment.arm_options.get(arm, {})
    given = {**experiment.options, **special}
    swept = {key: value for key, value in given.items() if is_sweep(key, value, defaults.get(key))}
    fixed = {key: value for key, value in given.items() if key not in swept}
    for key, values in settings.options.items():
        if key not in special:  # what an arm sets itself is not chosen for it
            swept[key] = values
            fixed.pop(key, None)
    return Space({key: _checked(key, values) for key, values in swept.items()}, fixed)


def _checked(key: str, values: Any) -> Values:
    """Values that their option can take.

    Raises:
        ConfigError: it cannot take one, there are fewer than two, or the steps of a range of whole numbers are not.
    """
    cfg = get_cfg_default()
    extend_config(cfg)
    tried = [values["low"], values["high"]] if isinstance(values, Mapping) else list(values)
    for index, value in enumerate(tried):
        cfg.merge_from_list([key, value], "the experiment's search")
        if isinstance(value, str):  # a number, which YAML takes for a word where it is written 1e-3
            tried[index] = cfg.flat()[key]
    if isinstance(values, Mapping):
        whole, step = isinstance(cfg.flat()[key], int), values.get("step")
        if whole and step is not None and step != int(step):
            raise ConfigError(f"search.options.{key}.step is {step!r}, but {key} is a whole number; give a whole step")
        return {**values, "whole": whole}
    distinct = [value for index, value in enumerate(tried) if value not in tried[:index]]
    if len(distinct) < len(tried) or len(tried) < 2:
        problem = "names a value twice" if len(distinct) < len(tried) else "has fewer than two values"
        raise ConfigError(f"The list of {key} to choose from, {tried}, {problem}; list different values")
    return tuple(tried)


def _defaults() -> dict[str, Any]:
    cfg = get_cfg_default()
    extend_config(cfg)
    return cfg.flat()

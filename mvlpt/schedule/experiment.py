"""An experiment file: tasks, trainers, arms, shots and seeds, and the runs that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlpt.config import Config, check_config, get_cfg_default, read_yaml
from mvlpt.config.shipped import find_config
from mvlpt.errors import ConfigError, suggest

ARMS = ("single", "all")


@dataclass(frozen=True)
class RunSpec:
    """One run of an experiment.

    Attributes:
        name: its folder below the experiment's.
        config_file: the trainer's configuration.
        overrides: ``KEY, VALUE, ...`` on top of it.
        cost: image visits, to start long runs first.
    """

    name: str
    config_file: str
    overrides: tuple[Any, ...]
    cost: float = 1.0

    def config(self, root: Path) -> Config:
        """The frozen configuration of the run in ``root / name``; goes on by itself where it was interrupted."""
        cfg = get_cfg_default()
        cfg.merge_from_file(find_config(self.config_file))
        folder = root / self.name
        cfg.merge_from_list([*self.overrides, "OUTPUT_DIR", str(folder), "VERBOSE", False, "RUN.TENSORBOARD", False])
        cfg.merge_from_list(["RUN.THREADS", 1, "RESUME", str(folder) if (folder / "run.json").exists() else ""])
        check_config(cfg)
        cfg.freeze()
        return cfg


@dataclass(frozen=True)
class Experiment:
    """What to compare.

    Attributes:
        tasks: names of registered tasks.
        trainers: configuration files of trainers, each run in every arm.
        zero_shot: configuration file of the untrained baseline, ``""`` for none.
        arms: ``single`` (each task alone), ``all`` (one prompt for all tasks).
        shots: training images per class.
        seeds: of sampling, prompt and order.
        options: overrides for every run.
        arm_options: overrides for the runs of one arm.
    """

    tasks: tuple[str, ...]
    trainers: tuple[str, ...]
    zero_shot: str = ""
    arms: tuple[str, ...] = ARMS
    shots: tuple[int, ...] = (1,)
    seeds: tuple[int, ...] = (1, 2, 3)
    options: dict[str, Any] = field(default_factory=dict)
    arm_options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        if not self.tasks:
            problems.append("tasks is empty")
        if len(set(self.tasks)) < len(self.tasks):
            problems.append("a task is named twice")
        for arm in (*self.arms, *self.arm_options):
            if arm not in ARMS:
                problems.append(f"arm '{arm}' is unknown{suggest(arm, ARMS)}")
        for name in ("shots", "seeds"):
            values = getattr(self, name)
            if not values or not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
                problems.append(f"{name} must list whole numbers, not {list(values)}")
        if problems:
            raise ConfigError("The experiment cannot be used: " + "; ".join(problems))

    def runs(self) -> list[RunSpec]:
        """All runs, the longest first."""
        specs = []
        if self.zero_shot:
            specs += [
                self._spec("zero_shot", self.zero_shot, (task,), 0, self.seeds[0], cost=0.1) for task in self.tasks
            ]
        for trainer in self.trainers:
            for shots in self.shots:
                for seed in self.seeds:
                    if "all" in self.arms:
                        specs.append(self._spec("all", trainer, self.tasks, shots, seed, cost=len(self.tasks)))
                    if "single" in self.arms:
                        specs += [self._spec("single", trainer, (task,), shots, seed) for task in self.tasks]
        return sorted(specs, key=lambda spec: -spec.cost)

    def _spec(
        self, arm: str, config_file: str, tasks: Sequence[str], shots: int, seed: int, cost: float = 1.0
    ) -> RunSpec:
        where = Path(config_file).parent.name or Path(config_file).stem
        name = "/".join(
            (where, arm, *((f"{shots}shot", f"seed{seed}") if shots else ()), *(tasks if len(tasks) == 1 else ()))
        )
        options = {**self.options, **self.arm_options.get(arm, {})}
        overrides = [word for pair in options.items() for word in pair]
        overrides += ["DATASET.DATASET", ",".join(tasks), "SEED", seed, "RUN.ARM", arm]
        overrides += ["DATASET.NUM_SHOTS", shots] if shots else []
        return RunSpec(name, config_file, tuple(overrides), cost * max(1, shots))


def load_experiment(path: str | Path) -> Experiment:
    """Reads an experiment file.

    Raises:
        ConfigError: missing, not YAML, or with keys that are unknown or of a wrong type.
    """
    file = find_config(path)
    content = read_yaml(file)
    known = Experiment.__dataclass_fields__
    for key, value in content.items():
        if key not in known:
            raise ConfigError(f"{file}: unknown key '{key}'{suggest(str(key), known)}")
        wanted = dict if key.endswith("options") else str if key == "zero_shot" else list
        if not isinstance(value, wanted):
            raise ConfigError(f"{file}: {key} takes a {wanted.__name__}, not {value!r}")
    for key in ("tasks", "trainers"):
        if key not in content:
            raise ConfigError(f"{file}: the experiment does not say its {key}")
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    return Experiment(**fields)

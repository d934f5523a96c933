"""An experiment file: tasks, trainers, arms, shots, seeds, and how and where the jobs that follow are run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlpt.arms import ADAPT_FROM, ARMS
from mvlpt.config import find_config, read_yaml, split_names
from mvlpt.errors import ConfigError
from mvlpt.experiment.baselines import TRAINING, baseline_files
from mvlpt.experiment.paths import with_paths
from mvlpt.experiment.spec_checks import NAMES, NUMBERS, problems, unknown_keys

_FILE_KEYS = ("dataset_options", "protocol")  # folded into other keys when the file is read
_NOT_IN_FILES = ("chosen_options",)


@dataclass(frozen=True)
class Experiment:
    """What to compare.

    Attributes:
        tasks: names of registered tasks; by default the targets, or else the sources.
        trainers: configuration files of trainers, each run in every arm.
        zero_shot: configuration file of the untrained baseline, ``""`` for none.
        baselines: configuration files of trainers to compare with, each task alone; ``fast`` stands for the heads on
            kept features, which take about a second a task. The experiment's options of training are not theirs.
        arms: ``single`` (each task alone), ``all`` (one prompt for all tasks), ``grouped`` (one prompt for each group),
            ``adapted`` (the prompt of another arm, adapted to each task), ``pair`` (one for each two tasks: measured
            affinity), ``transfer`` (source prompts, averaged over the seeds, are adapted to each target).
        shots: training images per class.
        seeds: of sampling, prompt and order.
        options: overrides for every run.
        arm_options: overrides for the runs of one arm.
        adapt_from: the arms whose prompts the arm ``adapted`` starts from, ``all`` and ``grouped``; by default those of
            the two that are compared, or else ``all``.
        backbone: ``name`` and, where given, ``pretrained``; instead of the trainers' own.
        root: folder of the data sets.
        sources: tasks on which source prompts are tuned; by default ``tasks``.
        source_prompts: ``together`` (one prompt for all sources) or ``alone`` (one for each).
        source_options: overrides for the runs that tune source prompts.
        source_shots: training images per class of the sources, whatever ``shots`` are; ``None`` for as many as those.
        targets: tasks to which source prompts are adapted; by default ``tasks``.
        grouping: how groups are picked: ``similarity`` or ``affinity``, ``method``, ``groups``, ``max_size``, ...; or
            ``file``, a groups.yaml.
        executor: ``name`` (local, inline, ray, slurm), ``slots``, ``retries``, ``time_limit``, and its own options.
        features: keep image features of frozen towers on disk, for all runs that read them.
        plugins: Python files that register trainers, data sets or similarities.
        search: how values of options are chosen, where ``options`` lists several: ``method``, ``budget``, ``split``,
            ``folds``, ``seed``, ``options``.
        chosen_options: what a search chose: (trainer, arm) to options. No part of a file.

    Raises:
        ConfigError: something cannot be used; one sentence that lists every problem.
    """

    tasks: tuple[str, ...] = ()
    trainers: tuple[str, ...] = ()
    zero_shot: str = ""
    baselines: tuple[str, ...] = ()
    arms: tuple[str, ...] = ("single", "all")
    shots: tuple[int, ...] = (1,)
    seeds: tuple[int, ...] = (1, 2, 3)
    options: Mapping[str, Any] = field(default_factory=dict)
    arm_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    adapt_from: tuple[str, ...] = ()
    backbone: Mapping[str, Any] = field(default_factory=dict)
    root: str = ""
    sources: tuple[str, ...] = ()
    source_prompts: str = "together"
    source_options: Mapping[str, Any] = field(default_factory=dict)
    source_shots: int | None = None
    targets: tuple[str, ...] = ()
    grouping: Mapping[str, Any] = field(default_factory=dict)
    executor: Mapping[str, Any] = field(default_factory=dict)
    features: bool = True
    plugins: tuple[str, ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)
    chosen_options: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        set_field = object.__setattr__.__get__(self)  # the dataclass is frozen
        for key, value in _as_lists({key: getattr(self, key) for key in (*NAMES, *NUMBERS)}).items():
            set_field(key, tuple(value) if isinstance(value, list) else value)
        set_field("tasks", tuple(self.tasks or self.targets or self.sources))
        found = problems(vars(self))
        if found:
            raise ConfigError("The experiment cannot be used: " + "; ".join(found))
        if isinstance(self.backbone, str):
            set_field("backbone", {"name": self.backbone} if self.backbone else {})
        set_field("baselines", baseline_files(self.baselines, self.trainers))
        if any(ARMS[arm].adapts for arm in self.arms):
            set_field(
                "adapt_from", tuple(self.adapt_from or [arm for arm in ADAPT_FROM if arm in self.arms] or ("all",))
            )
        if any(ARMS[arm].transfers for arm in self.arms):
            set_field("sources", tuple(self.sources or self.tasks))
            set_field("targets", tuple(self.targets or self.tasks))

    def as_baseline(self, file: str) -> Experiment:
        """The same tasks, shots, seeds and data for a trainer to compare with, which keeps its own way of training."""
        options = {key: value for key, value in self.options.items() if not key.startswith(TRAINING)}
        own = {"trainers": (file,), "baselines": (), "arms": ("single",), "options": options, "arm_options": {}}
        others = {"adapt_from": (), "sources": (), "targets": (), "source_shots": None, "source_options": {}}
        return dataclasses.replace(self, **own, **others)

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """Every task that some run reads, in the order in which they are named."""
        return tuple(dict.fromkeys((*self.tasks, *self.sources, *self.targets)))

    @property
    def fewest_shots(self) -> int:
        """The smallest number of training images per class; -1, for all images, is the largest."""
        return min(self.shots, key=lambda shots: (shots < 0, shots))

    @property
    def needs_groups(self) -> bool:
        """Whether an arm follows groups of tasks."""
        return any(ARMS[arm].grouped for arm in (*self.arms, *self.adapt_from))

    def without_groups(self) -> Experiment:
        """The same experiment without the arms that follow groups."""
        starts = tuple(arm for arm in self.adapt_from if not ARMS[arm].grouped)
        arms = [arm for arm in self.arms if not ARMS[arm].grouped and (starts or not ARMS[arm].adapts)]
        return dataclasses.replace(self, arms=tuple(arms), adapt_from=starts)

    def overrides(self, arm: str = "", trainer: str = "") -> dict[str, Any]:
        """The options that the runs of an arm set on top of their trainer's file.

        Args:
            arm: its name; ``source`` stands for the runs that tune source prompts.
            trainer: the configuration file, whose options a search may have chosen.
        """
        backbone = {
            f"MODEL.BACKBONE.{key.upper()}": value for key, value in self.backbone.items() if value not in (None, "")
        }
        special = self.source_options if arm == "source" else self.arm_options.get(arm, {})
        # Jobs run in the experiment's folder, so that a relative path would lead elsewhere.
        root = {"DATASET.ROOT": os.path.abspath(os.path.expanduser(self.root))} if self.root else {}
        chosen = self.chosen_options.get((trainer, arm), {})
        options = {**root, **backbone, **self.options, **special, **chosen}
        samples = options.get("DATASET.SAMPLES")
        if samples and isinstance(samples, str) and not samples.startswith("{"):
            options["DATASET.SAMPLES"] = os.path.abspath(os.path.expanduser(samples))
        return options

    def trainer_names(self) -> dict[str, str]:
        """Each trainer's configuration file and the name of its folder: the file's own, or with the file's name."""
        files = [*self.trainers, *([self.zero_shot] if self.zero_shot else []), *self.baselines]
        names = {file: Path(file).parent.name or Path(file).stem for file in files}
        return {
            file: name if list(names.values()).count(name) == 1 else f"{name}-{Path(file).stem}"
            for file, name in names.items()
        }


def _as_lists(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with ``shots: 2`` and ``tasks: a, b`` as lists."""
    lists: dict[str, Any] = {}
    for key, value in content.items():
        if key in NUMBERS and isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        elif key in NAMES and isinstance(value, str) and value:
            value = split_names(value)
        lists[str(key)] = value
    return lists


def load_experiment(path: str | Path) -> Experiment:
    """Reads an experiment file; its relative paths start at its own folder, or else at the current one.

    Raises:
        ConfigError: missing, not YAML, or with keys and values that cannot be used, all in one message.
    """
    file = find_config(path)
    content = _as_lists(read_yaml(file))
    if content and all(str(key).isupper() for key in content):
        raise ConfigError(
            f"{file} holds options of a run, not an experiment; name a file that lists tasks and trainers, such as "
            "those in configs/experiments/"
        )
    known = tuple(key for key in (*Experiment.__dataclass_fields__, *_FILE_KEYS) if key not in _NOT_IN_FILES)
    found = [*unknown_keys(content, known), *problems(content)]
    if not any(key in content for key in ("tasks", "targets", "sources")):
        found.append("it does not say its tasks")
    if not content.get("trainers") and not content.get("zero_shot"):
        found.append("it does not say its trainers; name configuration files, such as those in configs/trainers/")
    if found:
        raise ConfigError(f"{file}: {'; '.join(found)}")
    if "protocol" in content:
        content["arms"] = [content.pop("protocol")]
    content = with_paths(content, file)
    dataset = content.pop("dataset_options", {})
    if dataset:
        named = {key if key.startswith("DATASET.") else f"DATASET.{key}": value for key, value in dataset.items()}
        content["options"] = {**named, **content.get("options", {})}
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    return Experiment(**fields)

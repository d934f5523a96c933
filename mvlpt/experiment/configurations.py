"""The configurations of an experiment's runs, and a check of all of them before any run starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from yacs.config import CfgNode

from mvlpt.arms import PROTOCOLS
from mvlpt.config import (
    Config,
    check_config,
    find_config,
    flatten,
    get_cfg_default,
    is_path_like,
    options_set_in,
    read_yaml,
)
from mvlpt.dassl import plugin_roots
from mvlpt.data import check_names
from mvlpt.engine import TRAINER_REGISTRY, check_takes_pseudo_labels, extend_config, unread_option
from mvlpt.errors import ConfigError, DataError, MvlptError
from mvlpt.experiment.arms import Run
from mvlpt.experiment.costs.sizes import TaskSize, task_size
from mvlpt.experiment.registration import register
from mvlpt.experiment.spec import Experiment

ORIGIN = "the experiment's options"
OTHER_CLASSES = (*PROTOCOLS, "adapted", "transfer")  # arms that use a prompt on other classes than it was tuned on


class Configurations:
    """Each trainer's file with the experiment's options, read once. Registers trainers and data sets of plugins.

    Args:
        experiment: names the files and the options.

    Raises:
        ConfigError: a plugin is missing or fails.
    """

    def __init__(self, experiment: Experiment) -> None:
        register(experiment.plugins)
        self.experiment = experiment
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], CfgNode] = {}

    def check(self) -> None:
        """Tries every trainer with every arm's options, and every task, before anything is planned or computed.

        Raises:
            ConfigError: options, trainers or tasks that cannot be used, all in one message.
        """
        experiment = self.experiment
        arms = dict.fromkeys((*experiment.arms, *experiment.arm_options, "source"))
        pairs = [(file, arm) for file in experiment.trainers for arm in arms]
        pairs += [(experiment.zero_shot, "")] if experiment.zero_shot else []
        problems = [
            problem for file, arm in pairs for problem in self._trainer_problems(file, experiment.overrides(arm, file))
        ]
        problems += self._unread(arms)
        problems += self._shared_folders()
        for file in experiment.baselines:
            problems += self._trainer_problems(file, experiment.as_baseline(file).overrides("single"))
        own: dict[str, str] = {}
        for task in experiment.all_tasks:
            try:
                size = task_size(task, self._size_config())
            except MvlptError as error:
                problems.append(str(error))
                continue
            own[task] = size.name
            if size.classes == 1 and "base_to_new" in experiment.arms and task in experiment.tasks:
                problems.append(f"base_to_new halves the classes of a task, and '{size.name}' has one; leave it out")
        try:
            check_names(list(own.values()), [task if is_path_like(task) else "" for task in own])
        except DataError as error:
            problems.append(str(error))
        if problems:
            raise ConfigError(f"The experiment cannot be planned: {'; '.join(dict.fromkeys(problems))}")

    def _shared_folders(self) -> Iterator[str]:
        """Trainers whose runs would lie in one folder."""
        names, first = self.experiment.trainer_names(), {}
        for file in self.experiment.trainers:
            other = first.setdefault(names[file], file)
            if other != file:
                yield f"{other} and {file} have the same folder, {names[file]}; rename one of them, or drop it"

    def _unread(self, arms: Iterable[str]) -> list[str]:
        """Options of the experiment that none of its trainers reads."""
        experiment = self.experiment
        files = [*experiment.trainers, *([experiment.zero_shot] if experiment.zero_shot else [])]
        trainers = [_trainer_of(file, experiment.overrides(trainer=file)) for file in files]
        given = dict.fromkeys(key for arm in ("", *arms) for key in experiment.overrides(arm))
        problem = unread_option(given, filter(None, trainers))
        return [f"In {ORIGIN}: {problem}"] if problem else []

    def _trainer_problems(self, file: str, options: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with a trainer's file under some options."""
        try:
            _merge(_defaults(_trainer_of(file, options)), options)
        except ConfigError as error:
            yield str(error)  # the same for every file
            options = {}
        try:
            cfg = self.base(file, options)
            if not cfg.TRAINER.NAME:
                yield f"{file} names no trainer; set TRAINER.NAME in it"
            else:
                kind = TRAINER_REGISTRY.get(cfg.TRAINER.NAME)
                check_takes_pseudo_labels(kind, cfg)
                arms = self.experiment.arms if file in self.experiment.trainers else ()
                asked = [arm for arm in OTHER_CLASSES if arm in arms]
                grouping = self.experiment.grouping
                if arms and grouping.get("method") == "choose" and not grouping.get("trainer"):
                    asked.append("grouping by choose, which tries adaptation")
                if asked and _is_class_bound(kind, cfg):
                    yield (
                        f"{file}: {cfg.TRAINER.NAME} has weights for each class and cannot do {' or '.join(asked)};"
                        " name the file under baselines, for each task alone"
                    )
            if not cfg.MODEL.BACKBONE.NAME:
                yield f"{file} names no backbone; set backbone in the experiment"
        except MvlptError as error:
            yield f"{file}: {error}"

    def own_name(self, task: str) -> str:
        """The name of a task in results, where the experiment names it by an alias, a file or a folder."""
        return self.size(task).name

    def size(self, task: str) -> TaskSize:
        """The size of a task."""
        return task_size(task, self._size_config())

    def backbones(self) -> list[tuple[str, int]]:
        """Names and image sizes of the backbones that the experiment's runs use."""
        return list(dict.fromkeys((cfg.MODEL.BACKBONE.NAME, cfg.INPUT.SIZE[0]) for cfg in self.bases()))

    def bases(self) -> list[CfgNode]:
        """Of each trainer, of the untrained baseline and of those to compare with, without what single arms set."""
        experiment = self.experiment
        files = [*experiment.trainers, *([experiment.zero_shot] if experiment.zero_shot else [])]
        pairs = [(file, experiment.overrides(trainer=file)) for file in files]
        pairs += [(file, experiment.as_baseline(file).overrides()) for file in experiment.baselines]
        return [self.base(file, options) for file, options in pairs]

    def base(self, file: str, options: Mapping[str, Any]) -> CfgNode:
        """The configuration of a trainer's file with some overrides, checked, not to be changed.

        Raises:
            ConfigError: the file or an option cannot be used.
        """
        key = (file, tuple((name, repr(value)) for name, value in options.items()))
        if key not in self._known:
            cfg = _defaults(_trainer_of(file, options))
            found = find_config(file, plugin_roots())
            cfg.merge_from_file(found)
            _merge(cfg, options)
            from mvlpt.engine import follow_backbone  # loads torch, which a command's help does without

            follow_backbone(cfg, options_set_in(found), options)  # as `mvlpt train` does
            check_config(cfg)
            self._known[key] = cfg
        return self._known[key]

    def of_run(self, run: Run, options: Mapping[str, Any]) -> CfgNode:
        """The configuration that ``mvlpt train`` resolves from the run's command.

        Args:
            run: whose.
            options: on top of the run's own.
        """
        cfg = self.base(run.trainer, run.options).clone()
        words: list[Any] = ["DATASET.DATASET", ",".join(run.tasks), "SEED", run.seed]
        words += ["DATASET.RANDOM_SEED_SAMPLING", run.seed]
        words += ["DATASET.NUM_SHOTS", run.shots] if run.shots else []
        cfg.merge_from_list([*words, *(word for pair in options.items() for word in pair)])
        check_config(cfg)
        return cfg

    def _size_config(self) -> CfgNode:
        """The options on which the size of a task depends; unknown ones are reported elsewhere."""
        cfg = get_cfg_default()
        known = cfg.flat()
        given = {key: value for key, value in self.experiment.overrides().items() if key in known}
        _merge(cfg, {key: value for key, value in given.items() if key.startswith("DATASET.")})
        return cfg


def _is_class_bound(kind: type, cfg: CfgNode) -> bool:
    """Whether what a trainer tunes fits no other classes, as far as that is known before it is built."""
    if getattr(kind, "class_bound", False) is True:
        return True
    planned = getattr(kind, "planned_prompt", None)
    if planned is None:
        return False
    method, options = planned(cfg)
    return method.learner.class_bound or bool(getattr(options, "csc", False))


def _defaults(trainer: str) -> Config:
    cfg = get_cfg_default()
    extend_config(cfg, trainer)
    return cfg


def _trainer_of(file: str, options: Mapping[str, Any]) -> str:
    """The trainer that a run's options or its file name, whose defaults count; ``""`` where none is named."""
    if "TRAINER.NAME" in options:
        return str(options["TRAINER.NAME"])
    try:
        return str(dict(flatten(read_yaml(find_config(file, plugin_roots())))).get("TRAINER.NAME", ""))
    except MvlptError:  # reported where the file is merged
        return ""


def _merge(cfg: Config, options: Mapping[str, Any]) -> None:
    cfg.merge_from_list([word for pair in options.items() for word in pair], ORIGIN)

"""From an experiment's or a trainer's file to the configurations that the task graph is built from."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.cli.group_checks import checked_sources
from mvlpt.cli.group_inputs import load_backbone, take_input_of
from mvlpt.cli.group_options import GroupOptions, parse_links
from mvlpt.config import Config, check_config, get_cfg_default, read_yaml
from mvlpt.config.shipped import find_config
from mvlpt.engine.registries import extend_config, load_entry_points, load_plugin, load_shipped
from mvlpt.errors import ConfigError, suggest
from mvlpt.experiment import Experiment, load_experiment

EMBEDDED_CONFIG = "configs/trainers/ZeroshotCLIP/embedded.yaml"  # where only --tasks are given


@dataclass(frozen=True)
class GroupRun:
    """One grouping that is asked for.

    Attributes:
        cfg: tasks, backbone, transform and, for an affinity, the trainer.
        options: how to group.
        suffix: of the files' names, where several groupings go to one folder.
        trainer: the trainer's configuration file, ``""`` outside of experiments.
    """

    cfg: Config
    options: GroupOptions
    suffix: str = ""
    trainer: str = ""


def runs_of_experiment(
    experiment: Experiment, options: GroupOptions, opts: Sequence[Any] = (), trainer: str = ""
) -> list[GroupRun]:
    """One grouping by similarity; by affinity one for each trainer, since text and visual prompts group differently.

    The images are those of the smallest number of shots and of the first seed: no run of the experiment sees fewer.

    Args:
        experiment: tasks, trainers, shots, seeds.
        options: how to group.
        opts: ``KEY, VALUE, ...`` on top.
        trainer: only this one, by the name of its folder or of its registry entry.

    Raises:
        ConfigError: a configuration cannot be used, or no trainer has that name.
    """
    trainer = trainer or str(experiment.grouping.get("trainer", ""))
    names = experiment.trainer_names()
    files = [*experiment.trainers] or [experiment.zero_shot]
    configs = {file: _experiment_config(experiment, file, opts) for file in files}
    if trainer:
        known = {name: file for file in files for name in (names[file], configs[file].TRAINER.NAME, file)}
        if trainer not in known:
            raise ConfigError(f"The experiment has no trainer '{trainer}'{suggest(trainer, known)}")
        files = [known[trainer]]
    if not options.affinity:
        files = files[:1]
    several = len(files) > 1
    return [GroupRun(configs[file], options, f"-{names[file]}" if several else "", file) for file in files]


def runs_of_arguments(args: argparse.Namespace) -> list[GroupRun]:
    """The groupings that a command line asks for.

    Raises:
        ConfigError: files, options or names cannot be used.
    """
    prepare(args.plugin)
    tasks = tuple(name.strip() for name in args.tasks.split(",") if name.strip())
    content = read_yaml(find_config(args.config_file)) if args.config_file else {}
    if any(key in content for key in ("tasks", "targets", "sources", "trainers")):
        experiment = _narrowed(load_experiment(args.config_file), tasks, args)
        options = options_of(args, experiment.grouping)
        return runs_of_experiment(experiment, options, args.opts, args.trainer)
    cfg = get_cfg_default()
    extend_config(cfg)
    embedded = args.backbone in ("", "embedded")
    if args.config_file or embedded:
        cfg.merge_from_file(find_config(args.config_file or EMBEDDED_CONFIG))
    words: list[Any] = ["SEED", 1 if args.seed is None else args.seed]
    for key, value in (
        ("DATASET.DATASET", ",".join(tasks)),
        ("MODEL.BACKBONE.NAME", args.backbone),
        ("DATASET.ROOT", args.root),
        ("TRAINER.NAME", args.trainer),
    ):
        words += [key, value] if value else []
    if args.shots is not None:
        words += ["DATASET.NUM_SHOTS", args.shots]
    cfg.merge_from_list([*words, *args.opts])
    options = options_of(args, {})
    if not args.config_file and not embedded:
        checked_sources(_frozen(cfg.clone()), options)  # before a model is loaded, if only to ask for its input
        take_input_of(cfg, load_backbone(cfg))
        cfg.merge_from_list(args.opts)  # what is said by hand counts last
    return [GroupRun(_frozen(cfg), options)]


def options_of(args: argparse.Namespace, section: Mapping[str, Any]) -> GroupOptions:
    """The section ``grouping`` of an experiment, with what the command line says in its place.

    Raises:
        ConfigError: an option cannot be used.
    """
    given = {
        "similarity": args.similarity,
        "affinity": args.affinity,
        "results": args.results,
        "fit": args.fit,
        "steps": args.steps,
        "method": args.method,
        "groups": args.groups,
        "max_size": args.max_size,
        "max_classes": args.max_classes,
        "must_link": parse_links(args.must_link, "--must-link"),
        "cannot_link": parse_links(args.cannot_link, "--cannot-link"),
        "threshold": args.threshold,
        "seed": args.grouping_seed,
        "rescale": False if args.raw else None,
    }
    section = dict(section)
    if args.similarity or args.affinity or args.fit:
        for key in ("similarity", "affinity"):
            section.pop(key, None)
    chosen = {key: value for key, value in given.items() if value not in (None, "", ())}
    return GroupOptions.from_mapping({**section, **chosen}, pictures=not args.no_pictures)


def prepare(plugins: Sequence[str | Path] = ()) -> None:
    """Registers trainers and data sets: the shipped ones, installed ones, and those of some files."""
    load_shipped()
    load_entry_points()
    for file in plugins:
        load_plugin(file)


def _narrowed(experiment: Experiment, tasks: tuple[str, ...], args: argparse.Namespace) -> Experiment:
    """The experiment with the tasks, shots, seed, backbone and root of the command line."""
    changes: dict[str, Any] = {}
    if tasks:
        for task in tasks:
            if task not in experiment.all_tasks:
                raise ConfigError(f"{args.config_file} has no task '{task}'{suggest(task, experiment.all_tasks)}")
        changes["tasks"] = tasks
    if args.shots is not None:
        changes["shots"] = (args.shots,)
    if args.seed is not None:
        changes["seeds"] = (args.seed,)
    if args.backbone:
        changes["backbone"] = {"name": args.backbone}
    if args.root:
        changes["root"] = args.root
    return dataclasses.replace(experiment, **changes)


def _experiment_config(experiment: Experiment, file: str, opts: Sequence[Any]) -> Config:
    cfg = get_cfg_default()
    extend_config(cfg)
    cfg.merge_from_file(find_config(file))
    words = [word for pair in experiment.overrides("grouped").items() for word in pair]
    words += ["DATASET.DATASET", ",".join(experiment.tasks), "SEED", experiment.seeds[0]]
    words += ["DATASET.NUM_SHOTS", min(experiment.shots)]
    cfg.merge_from_list([*words, *opts])
    return _frozen(cfg)


def _frozen(cfg: Config) -> Config:
    cfg.merge_from_list(["VERBOSE", False, "DATASET.SAMPLES_DIR", ""])
    check_config(cfg)
    cfg.freeze()
    return cfg

"""Groupings that are asked for: the configurations that task graphs are built from, and how each is grouped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.config import Config, check_config, find_config, get_cfg_default, read_yaml
from mvlpt.engine import extend_config
from mvlpt.errors import ConfigError, suggest
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.grouping.checks import checked_sources
from mvlpt.experiment.grouping.data_choice import DataChoice
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.experiment.grouping.sources import graph_backbone, use_input_of
from mvlpt.experiment.registration import register
from mvlpt.experiment.search.applying import with_first_values
from mvlpt.experiment.spec import Experiment, load_experiment

EMBEDDED_CONFIG = "configs/trainers/ZeroshotCLIP/embedded.yaml"  # where no file is given
EXPERIMENT_KEYS = ("tasks", "targets", "sources", "trainers")  # a file with one of them is an experiment


@dataclass(frozen=True)
class GroupingRequest:
    """One grouping that is asked for.

    Attributes:
        cfg: tasks, backbone, transform and, for an affinity, the trainer; frozen.
        options: how to group.
        suffix: of the files' names, where several groupings go to one folder.
        trainer: the trainer's configuration file, ``""`` outside of experiments.
    """

    cfg: Config
    options: GroupingOptions
    suffix: str = ""
    trainer: str = ""


def grouping_requests(
    config_file: str = "",
    data: DataChoice | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[Any] = (),
    plugins: Sequence[str | Path] = (),
) -> list[GroupingRequest]:
    """The groupings that a configuration file and options ask for.

    Args:
        config_file: an experiment or a trainer's options; ``""`` for the embedded model, or another ``backbone`` as it
            wants its images.
        data: tasks and what is read of them.
        options: fields of :class:`GroupingOptions` by name; they replace those of an experiment's section ``grouping``.
        overrides: ``KEY, VALUE, ...`` on top of the configuration.
        plugins: Python files that register trainers, data sets or similarities.

    Returns:
        One request; several for an experiment of several trainers that is grouped by affinity.

    Raises:
        ConfigError: files, options or names cannot be used.
    """
    register(plugins)
    data, options = data or DataChoice(), options or {}
    content = read_yaml(find_config(config_file)) if config_file else {}
    if any(key in content for key in EXPERIMENT_KEYS):
        experiment = with_first_values(data.narrowed(load_experiment(config_file), config_file))
        chosen = GroupingOptions.from_section(experiment.grouping, options)
        if chosen.chooses:
            raise ConfigError(
                f"{config_file} groups by method choose, which trains prompts; add --choose, or a --method"
            )
        return experiment_requests(experiment, chosen, overrides)
    return [_plain_request(config_file, data, GroupingOptions.from_section({}, options), overrides)]


def experiment_requests(
    experiment: Experiment, options: GroupingOptions, overrides: Sequence[Any] = ()
) -> list[GroupingRequest]:
    """One grouping by similarity; by affinity one for each trainer, since text and visual prompts group differently.

    The images are those of the smallest number of shots and of the first seed: no run of the experiment sees fewer.

    Args:
        experiment: tasks, trainers, shots, seeds.
        options: how to group; ``trainer`` may be the name of a trainer's folder or of its registry entry.
        overrides: ``KEY, VALUE, ...`` on top.

    Raises:
        ConfigError: a configuration cannot be used, or no trainer has that name.
    """
    names = experiment.trainer_names()
    files = [*experiment.trainers] or [experiment.zero_shot]
    configurations = Configurations(experiment)
    configs = {file: _experiment_config(configurations, file, overrides) for file in files}
    if options.trainer:
        known = {name: file for file in files for name in (names[file], configs[file].TRAINER.NAME, file)}
        if options.trainer not in known:
            raise ConfigError(f"The experiment has no trainer '{options.trainer}'{suggest(options.trainer, known)}")
        files = [known[options.trainer]]
    if not options.affinity:
        files = files[:1]
    several = len(files) > 1
    return [GroupingRequest(configs[file], options, f"-{names[file]}" if several else "", file) for file in files]


def _plain_request(
    config_file: str, data: DataChoice, options: GroupingOptions, overrides: Sequence[Any]
) -> GroupingRequest:
    """The grouping of tasks under a trainer's file, or under the backbone's own transform where no file is given."""
    cfg = get_cfg_default()
    extend_config(cfg)
    embedded = data.backbone in ("", "embedded")
    if config_file or embedded:
        cfg.merge_from_file(find_config(config_file or EMBEDDED_CONFIG))
    trainer = ["TRAINER.NAME", options.trainer] if options.trainer else []
    cfg.merge_from_list([*data.overrides(), *trainer, *overrides])
    if not config_file and not embedded:
        checked_sources(_frozen(cfg.clone()), options)  # before a model is loaded, if only for its image size
        use_input_of(graph_backbone(cfg), cfg)
        cfg.merge_from_list(overrides)  # these replace what the backbone wants, too
    return GroupingRequest(_frozen(cfg), options)


def _experiment_config(configurations: Configurations, file: str, overrides: Sequence[Any]) -> Config:
    experiment = configurations.experiment
    cfg = configurations.base(file, experiment.overrides("grouped", file)).clone()
    words = ["DATASET.DATASET", ",".join(experiment.tasks), "SEED", experiment.seeds[0]]
    words += ["DATASET.NUM_SHOTS", experiment.fewest_shots]
    cfg.merge_from_list([*words, *overrides])
    return _frozen(cfg)


def _frozen(cfg: Config) -> Config:
    cfg.merge_from_list(["VERBOSE", False, "DATASET.SAMPLES_DIR", ""])
    check_config(cfg)
    cfg.freeze()
    return cfg

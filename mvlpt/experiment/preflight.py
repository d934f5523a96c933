"""What an experiment needs and this machine lacks: data of tasks, weights of backbones. All of it at once."""

from __future__ import annotations

from collections.abc import Iterator

from yacs.config import CfgNode

from mvlpt.data.sources import how_to_get, locate, task_metadata
from mvlpt.engine import pretrained_weights
from mvlpt.errors import ConfigError, MvlptError, UnknownNameError
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.sizes import is_foreign
from mvlpt.experiment.spec import Experiment
from mvlpt.models.backbone import missing_weights


def missing_inputs(experiment: Experiment) -> list[str]:
    """A line for each task and backbone that is missing, with the command that gets it; empty if all is here.

    Raises:
        ConfigError: a configuration of the experiment cannot be used.
    """
    configs = Configurations(experiment).bases()
    lines = [line for task in experiment.all_tasks for line in _missing_data(task, configs[0])]
    lines += [line for cfg in configs for line in _missing_weights(cfg)]
    return list(dict.fromkeys(lines))


def check_inputs(experiment: Experiment) -> None:
    """Refuses an experiment whose jobs would fail one by one for want of data or weights.

    Raises:
        ConfigError: lists all that is missing, each with the command that gets it.
    """
    missing = missing_inputs(experiment)
    if missing:
        count = f"{len(missing)} things are" if len(missing) > 1 else "One thing is"
        raise ConfigError(f"{count} missing, and nothing was run:\n" + "\n".join(f"  {line}" for line in missing))


def _missing_data(task: str, cfg: CfgNode) -> Iterator[str]:
    try:
        metadata = task_metadata(task)
    except UnknownNameError:
        return  # a task of the user's own, which was read when its size was
    root = cfg.DATASET.ROOT
    try:
        location = locate(root, metadata, cfg.DATASET.SOURCE)
    except MvlptError as error:
        yield str(error)
        return
    if location and not location.missing:
        return
    if metadata.downloads and not location:
        how = f"mvlpt tasks download {metadata.name} --root {root or 'DATA'}"
    else:
        how = how_to_get(metadata)
    what = f"{location.path} lacks {', '.join(location.missing)}" if location else f"not found below {root or '.'}"
    yield f"the data of '{task}' ({what}): {how}"


def _missing_weights(cfg: CfgNode) -> Iterator[str]:
    node = cfg.MODEL.BACKBONE
    if is_foreign(node.NAME):
        return  # a network that a plugin's trainer builds, and gets the weights of
    try:
        line = missing_weights(node.NAME, pretrained_weights(node.NAME, node.PRETRAINED))
    except ConfigError as error:
        line = str(error)
    if line:
        yield line

"""The configuration of a run, from files, named options and overrides; the same for the command and from Python."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvlpt.config import OPTIONS, Config, check_config, find_config, get_cfg_default, options_set_in, split_overrides
from mvlpt.dassl import load_installed_plugins, load_plugin, offer_installed, plugin_roots
from mvlpt.engine import CONFIG_FILE, extend_config, finish_config, follow_backbone, load_shipped, unread_option
from mvlpt.errors import ConfigError

Pathlike = str | os.PathLike[str]
DEFAULT_OUTPUT = OPTIONS["OUTPUT_DIR"].default  # stands for a folder by trainer, tasks, shots and seed


def resolve_config(
    *,
    files: Sequence[Pathlike] = (),
    options: Mapping[str, Any],
    overrides: Sequence[Any] = (),
    plugins: Sequence[Pathlike] = (),
    resume: str | None = None,
    recipe: bool = False,
    origin: str = "the command line",
) -> Config:
    """Defaults, then the files, the options, the overrides; checked and frozen.

    With ``resume`` and neither a file nor a trainer, the configuration of the run that goes on takes the files' place.

    Args:
        files: YAML files of options, the later over the earlier ones.
        options: by key, such as ``TRAINER.NAME``.
        overrides: ``[KEY, VALUE, KEY, VALUE, ...]``, over the options.
        plugins: files or repositories that register trainers or data sets.
        resume: the folder of the run to go on with, ``""`` for the output folder; ``None`` to begin.
        recipe: the files stand for options that nobody gave: the preprocessing follows the backbone all the same.
        origin: where errors say that options and overrides stand.

    Raises:
        ConfigError: something in them is unknown or does not fit.
    """
    load_shipped()
    load_installed_plugins()
    offer_installed()
    for plugin in plugins:
        load_plugin(plugin)
    overrides = split_overrides(overrides)
    given = {*options, *map(str, overrides[::2])}
    named = _trainer_named(options, overrides)
    continued = _continued(resume, options, bool(files or named))
    found = [continued / CONFIG_FILE] if continued else [find_config(file, plugin_roots()) for file in files]
    in_files = {key: value for file in found for key, value in options_set_in(file).items()}
    cfg = get_cfg_default()
    extend_config(cfg, named or str(in_files.get("TRAINER.NAME", "")))
    with _plugins_named(cfg, plugins):
        for file in found:
            cfg.merge_from_file(file)
        if continued:
            cfg.OUTPUT_DIR, cfg.VERBOSE = str(continued), True
        cfg.merge_from_list([word for pair in options.items() for word in pair], origin)
        cfg.merge_from_list(overrides, origin)
    if not continued:  # a run that goes on has been finished before
        finish_config(cfg, given)
    if resume is not None:
        cfg.RESUME = resume or cfg.OUTPUT_DIR
    folder_named = resume or options.get("OUTPUT_DIR") or "OUTPUT_DIR" in overrides[::2] or _names_folder(cfg)
    recorded = _choose_seed(cfg) if folder_named else _choose_folder(cfg, resume)
    problem = "" if "RUN.ARM" in given else unread_option(sorted(given), [cfg.TRAINER.NAME])  # jobs of a plan have arms
    if problem:
        raise ConfigError(problem)
    if recipe:
        follow_backbone(cfg, (), {*given, "INPUT.TRANSFORMS"}, recorded)
    else:
        follow_backbone(cfg, in_files, given, recorded)
    check_config(cfg)
    cfg.freeze()
    return cfg


def _continued(resume: str | None, options: Mapping[str, Any], described: bool) -> Path | None:
    """The folder of the run whose configuration takes the files' place; ``None`` where files or a trainer are named.

    Raises:
        ConfigError: the folder that is to be gone on with holds no run.
    """
    if resume is None or described:
        return None
    folder = Path(resume or options.get("OUTPUT_DIR") or "")
    if (folder / CONFIG_FILE).is_file():
        return folder
    if resume:
        raise ConfigError(f"{folder} holds no run to go on with: it has no {CONFIG_FILE}; name a run, or a trainer")
    return None


@contextmanager
def _plugins_named(cfg: Config, plugins: Sequence[Pathlike]) -> Iterator[None]:
    """Context whose errors on unknown options say that a plugin may have them, where none is named."""
    try:
        yield
    except ConfigError as error:
        section = re.search(r"unknown key TRAINER\.(\w+)\.", str(error))
        of_nobody = section is not None and section.group(1) not in cfg.TRAINER
        if plugins or "unknown key" not in str(error) or ("did you mean" in str(error) and not of_nobody):
            raise
        raise ConfigError(f"{error}; options of a plugin are known where --plugin names it") from error


def _choose_seed(cfg: Config) -> dict[str, Any]:
    """Sets the seed where none is given, to that of the run that goes on or to any.

    Returns:
        The options of the run that is in the folder already; empty without one.
    """
    recorded = _recorded(cfg)
    if cfg.SEED < 0 and cfg.RESUME:
        cfg.SEED = int(recorded.get("SEED", -1))
    if cfg.SEED < 0:
        cfg.SEED = secrets.randbelow(2**31)
    return recorded


def _choose_folder(cfg: Config, resume: str | None) -> dict[str, Any]:
    """Sets the folder that nobody named, by trainer, tasks, shots and seed; returns what :func:`_choose_seed` does.

    Raises:
        ConfigError: a run is to go on, but its seed, and so its folder, is not known.
    """
    from mvlpt.engine import default_folder  # loads torch, which the help of commands does without

    if cfg.SEED < 0 and resume is not None:
        raise ConfigError("--resume goes on with the run of a folder; name it: --resume DIR")
    if cfg.SEED < 0:
        cfg.SEED = secrets.randbelow(2**31)
    cfg.OUTPUT_DIR = default_folder(cfg)
    cfg.RESUME = cfg.OUTPUT_DIR if resume is not None else ""
    return _recorded(cfg)


def _trainer_named(options: Mapping[str, Any], overrides: Sequence[Any]) -> str:
    """The trainer that options or overrides name, which decides whose defaults count; ``""`` where none is named."""
    pairs = zip(overrides[::2], overrides[1::2], strict=False)
    named = [str(value) for key, value in pairs if key == "TRAINER.NAME"]
    return named[-1] if named else str(options.get("TRAINER.NAME") or "")


def _names_folder(cfg: Config) -> bool:
    """Whether files name the folder of the run, or it is to go on in the folder that was the default before."""
    return cfg.OUTPUT_DIR != DEFAULT_OUTPUT or (bool(cfg.RESUME) and (Path(cfg.OUTPUT_DIR) / CONFIG_FILE).is_file())


def _recorded(cfg: Config) -> dict[str, Any]:
    """The options of the run that is in the folder already; empty without one."""
    file = Path(cfg.RESUME or cfg.OUTPUT_DIR) / CONFIG_FILE
    return options_set_in(file) if file.is_file() else {}

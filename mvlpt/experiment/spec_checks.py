"""Checks of an experiment file: every problem is found and reported with key, value and remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mvlpt.arms import ADAPT_FROM, ARMS, PROTOCOLS
from mvlpt.config import split_names
from mvlpt.errors import suggest
from mvlpt.experiment.grouping.options import grouping_problems
from mvlpt.experiment.search.settings import search_problems
from mvlpt.graph.grouping import METHODS

SELECTABLE = tuple(arm.name for arm in ARMS.values() if arm.selectable)
SOURCE_PROMPTS = ("together", "alone")
NAMES = ("tasks", "trainers", "baselines", "arms", "sources", "targets", "plugins", "adapt_from")
NUMBERS = ("shots", "seeds")
MAPPINGS = ("options", "arm_options", "source_options", "dataset_options", "grouping", "executor", "search")
OPTIONS = ("options", "source_options", "dataset_options", "executor")  # mappings whose keys are looked up elsewhere
BACKBONE = ("name", "pretrained")


def unknown_keys(content: Mapping[str, Any], known: Sequence[str], where: str = "") -> Iterator[str]:
    """A sentence for each key that means nothing."""
    for key in content:
        if key not in known:
            yield f"unknown key '{where}{key}'{suggest(str(key), known)}"


def problems(content: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the values of an experiment; keys that are missing keep their defaults.

    Args:
        content: the experiment file as a mapping, or the fields of an experiment.
    """
    wrong_type = dict(_types(content))
    found = list(wrong_type.values())
    sound = {key: value for key, value in content.items() if key not in wrong_type}
    checks = (_tasks, _trainers, _arms, _option_names, _numbers, _grouping, _backbone, _executor, _search, _needs)
    for check in (*checks, _protocol):
        found += check(sound)
    return found


def _types(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if key in (*NAMES, *NUMBERS) and not isinstance(value, (list, tuple)):
            yield key, f"{key} takes a list, not {value!r}"
        elif key in NAMES and not all(isinstance(item, str) and item for item in value):
            yield key, f"{key} must list names, not {list(value)}"
        elif key in MAPPINGS and not isinstance(value, Mapping):
            yield key, f"{key} takes a mapping (KEY: value), not {value!r}"
        elif key in ("zero_shot", "root", "source_prompts") and not isinstance(value, str):
            yield key, f"{key} takes a string, not {value!r}"
        elif key == "features" and not isinstance(value, bool):
            yield key, f"features takes true or false, not {value!r}"
        elif key == "backbone" and not isinstance(value, (str, Mapping)):
            yield key, f"backbone takes a name, or name and pretrained, not {value!r}"


def _tasks(content: Mapping[str, Any]) -> Iterator[str]:
    for key in ("tasks", "sources", "targets"):
        names = list(content.get(key, ()))
        if key in content and not names and key == "tasks" and not content.get("targets"):
            yield "tasks is empty; name at least one, such as weather-plain"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{key}: task '{name}' is named twice; name every task once"
        listed = [name for name in names if "," in name and split_names(name) != [name]]
        yield from (f"{key}: '{name}' holds a comma; list each task by itself" for name in listed)


def _trainers(content: Mapping[str, Any]) -> Iterator[str]:
    names = list(content.get("trainers", ()))
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"trainers: '{name}' is named twice; name every configuration once"


def _arms(content: Mapping[str, Any]) -> Iterator[str]:
    options = content.get("arm_options", {})
    for arm in (*content.get("arms", ()), *options):
        if arm not in SELECTABLE:
            yield f"arm '{arm}' is unknown{suggest(str(arm), SELECTABLE)}"
    for arm, given in options.items():
        if not isinstance(given, Mapping):
            yield f"arm_options.{arm} takes a mapping (KEY: value), not {given!r}"
    for start in content.get("adapt_from", ()):
        if start not in ADAPT_FROM:
            yield f"adapt_from names the arm '{start}'{suggest(str(start), ADAPT_FROM)}"
    where = content.get("source_prompts", SOURCE_PROMPTS[0])
    if where not in SOURCE_PROMPTS:
        yield f"source_prompts is '{where}'{suggest(where, SOURCE_PROMPTS)}"


def _option_names(content: Mapping[str, Any]) -> Iterator[str]:
    """Names of options that YAML reads as something else than a string."""
    sections = {key: content.get(key, {}) for key in OPTIONS}
    sections |= {f"arm_options.{arm}": given for arm, given in content.get("arm_options", {}).items()}
    for where, given in sections.items():
        for name in given if isinstance(given, Mapping) else ():
            if not isinstance(name, str):
                yield f"{where} names {name!r}, which is no option; put the name of an option there"


def _numbers(content: Mapping[str, Any]) -> Iterator[str]:
    for key in NUMBERS:
        values = list(content.get(key, (1,)))
        if not values or not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            yield f"{key} must list whole numbers, not {values}"
        elif len(set(values)) < len(values):
            yield f"{key} names a number twice: {values}"
        elif key == "shots" and any(value == 0 or value < -1 for value in values):
            yield f"shots is {values}; give images per class, at least 1, or -1 for all"
        elif key == "seeds" and min(values) < 0:
            yield f"seeds is {values}; a seed is at least 0"
    shots = content.get("source_shots")
    whole = isinstance(shots, int) and not isinstance(shots, bool)
    if shots is not None and not (whole and (shots == -1 or shots >= 1)):
        yield f"source_shots is {shots!r}; give images per class, at least 1, or -1 for all"


def _grouping(content: Mapping[str, Any]) -> Iterator[str]:
    yield from grouping_problems(content.get("grouping", {}))


def _backbone(content: Mapping[str, Any]) -> Iterator[str]:
    backbone = content.get("backbone") or {}
    if isinstance(backbone, Mapping):
        yield from unknown_keys(backbone, BACKBONE, "backbone.")
        if backbone and not backbone.get("name"):
            yield "backbone has no name; give one, such as ViT-B/16 or embedded"


def _executor(content: Mapping[str, Any]) -> Iterator[str]:
    executor = content.get("executor", {})
    if not isinstance(executor.get("name") or "", str):
        yield f"executor.name is {executor['name']!r}; give a string, such as local"
    for key, least in (("retries", 0), ("slots", 1)):
        value = executor.get(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and value >= least):
            yield f"executor.{key} is {value!r}; give a whole number of at least {least}"
    limit = executor.get("time_limit")
    number = isinstance(limit, (int, float)) and not isinstance(limit, bool) and math.isfinite(limit)
    if limit is not None and not (number and limit > 0):
        yield f"executor.time_limit is {limit!r}; give a number above 0"


def _search(content: Mapping[str, Any]) -> Iterator[str]:
    yield from search_problems(content.get("search", {}))


def _needs(content: Mapping[str, Any]) -> Iterator[str]:
    """What an arm cannot do without."""
    arms = content.get("arms") or ([content["protocol"]] if "protocol" in content else ())
    tasks = content.get("tasks") or content.get("targets") or ()
    chosen = [ARMS[arm] for arm in arms if arm in SELECTABLE]
    if ("tasks" in content or "targets" in content) and len(tasks) == 1:
        yield from (f"arm {arm.name} needs at least two tasks, not 1" for arm in chosen if arm.several_tasks)
    if not any(arm.adapts for arm in chosen) and content.get("adapt_from"):
        yield "adapt_from is given, but nothing is adapted; add adapted to arms, or leave adapt_from out"
    grouping = content.get("grouping", {})
    if "chosen" in arms and grouping.get("method") in (None, *METHODS) and not grouping.get("file"):
        yield "arm chosen has what method choose picks; add grouping: {method: choose}"
    if not any(arm.transfers for arm in chosen) and content.get("sources"):
        yield "sources are named, but nothing is transferred; add transfer to arms, or leave the sources out"
    if not any(arm.transfers for arm in chosen) and content.get("source_shots") is not None:
        yield "source_shots is given, but nothing is transferred; add transfer to arms, or leave it out"


def _protocol(content: Mapping[str, Any]) -> Iterator[str]:
    protocol = content.get("protocol")
    if protocol is None:
        return
    if protocol not in PROTOCOLS:
        yield f"protocol is '{protocol}'{suggest(str(protocol), PROTOCOLS)}"
    elif "arms" in content:
        yield f"protocol {protocol} and arms are both given; leave one out"

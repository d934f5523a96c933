"""Finds the metadata of a shipped task by its name or an alias, without reading the task's files.

Two families share some names: ELEVATER's ``caltech-101`` (102 classes) is displayed as ``Caltech101``, which is the
registered name of CoOp's data set of 100 classes. Such a name always means CoOp's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from mvlpt.data.sources.families import FAMILIES, family_of_tasks, read_benchmark
from mvlpt.data.sources.metadata import PromptMetadata, TaskMetadata
from mvlpt.errors import UnknownNameError, suggest


def known_tasks(family: str | None = None) -> list[TaskMetadata]:
    """The metadata of all shipped tasks, by family, in the order of the benchmark.

    Args:
        family: only this family.
    """
    chosen = FAMILIES if family is None else (family,)
    return [metadata for one in chosen for metadata in family_of_tasks(one).values()]


def task_metadata(name: str) -> TaskMetadata:
    """The metadata of a task, by canonical name or alias.

    Raises:
        UnknownNameError: there is no such task.
    """
    canonical = canonical_name(name)
    for family in FAMILIES:
        if canonical in family_of_tasks(family):
            return family_of_tasks(family)[canonical]
    raise UnknownNameError(f"No task is named '{name}'{suggest(name, [metadata.name for metadata in known_tasks()])}")


def canonical_name(name: str) -> str:
    """The canonical name of an alias; other names are returned unchanged."""
    return alias_table().get(name, name)


def ambiguity(name: str) -> str:
    """An error message for a name that two families use in different spellings, or an empty string."""
    for metadata in family_of_tasks("elevater").values():
        owner = coop_namesake(name, metadata)
        if owner and name != owner and name in metadata.aliases:
            classes = family_of_tasks("coop")[owner].num_classes
            return (
                f"'{name}' could mean CoOp's {owner} ({classes} classes) or ELEVATER's "
                f"{metadata.name} ({metadata.num_classes} classes), which differ; write '{owner}' or '{metadata.name}'"
            )
    return ""


def coop_namesake(alias: str, metadata: TaskMetadata) -> str:
    """CoOp's data set with the same name as an alias of an ELEVATER task, ignoring case; or an empty string."""
    if metadata.family != "elevater":
        return ""
    return next((other for other in family_of_tasks("coop") if other.lower() == alias.lower()), "")


@functools.cache
def alias_table() -> Mapping[str, str]:
    """Unambiguous aliases and their canonical names."""
    table = {
        alias: metadata.name
        for metadata in known_tasks()
        for alias in metadata.aliases
        if not coop_namesake(alias, metadata) and not any(alias in family_of_tasks(family) for family in FAMILIES)
    }
    return MappingProxyType(table)


def prompt_metadata(name: str) -> PromptMetadata:
    """ELEVATER's class names and templates of a task, by canonical name or alias.

    Raises:
        UnknownNameError: the task has no prompts.
    """
    table = read_benchmark("elevater_prompts")["tasks"]
    canonical = canonical_name(name)
    if canonical not in table:
        raise UnknownNameError(f"ELEVATER has no prompts for '{name}'{suggest(name, table)}")
    row = table[canonical]
    synonyms = {int(label): tuple(names) for label, names in row.get("synonyms", {}).items()}
    return PromptMetadata(tuple(row["classnames"]), MappingProxyType(synonyms), tuple(row["templates"]))

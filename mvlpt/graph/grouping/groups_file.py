"""``groups.yaml``: groups as a file that people can read and edit, and from which runs are planned.

    format: mvlpt-groups
    version: 1
    method: exact
    objective: 1.25
    gap: 0.0
    seed: 0
    settings: {threshold: 0.4}
    groups:
      g1: [caltech, pets]
      g2: [eurosat]
    serves: {caltech: g1, pets: g1, eurosat: g2}    # only if groups overlap

A file written by hand needs ``format``, ``version`` and ``groups``.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.grouping.groups import Grouping
from mvlpt.io import check_head, listed, read_yaml, write_unless_edited

FILE = "groups.yaml"
FORMAT, VERSION = "mvlpt-groups", 1
MAX_BYTES = 64 * 2**20  # a hundred thousand tasks need less
_KEYS = ("format", "version", "method", "objective", "gap", "seed", "settings", "groups", "serves")


def write_groups(grouping: Grouping, path: str | os.PathLike[str]) -> None:
    """Writes a grouping, which :func:`read_groups` reads back unchanged; a file that was edited is kept."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "method": grouping.method,
        "objective": None if grouping.objective is None else float(grouping.objective),
        "gap": None if grouping.gap is None else float(grouping.gap),
        "seed": int(grouping.seed),
        "settings": _plain(grouping.settings),
        "groups": {name: list(group) for name, group in zip(grouping.names, grouping.groups, strict=True)},
    }
    if grouping.serves is not None:
        head["serves"] = dict(sorted(grouping.serves.items()))
    content = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    write_unless_edited(path, content)


def read_groups(
    path: str | os.PathLike[str], tasks: Iterable[str] | None = None, aliases: Mapping[str, str] | None = None
) -> Grouping:
    """Reads groups and checks them.

    Args:
        path: the file, or the folder with a ``groups.yaml``.
        tasks: the tasks that the groups must contain, all of them and no others; ``None``: any tasks.
        aliases: other names of tasks that the file may use, each with the name in ``tasks``.

    Returns:
        The groups, with the names and in the order of the file.

    Raises:
        GraphError: the file is missing or of another format or version; a group is empty or not a list of names; a task
            is missing, unknown, or in two groups without an entry in ``serves``.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    content = _read(file)
    groups = content.get("groups")
    if not isinstance(groups, Mapping) or not groups:
        raise GraphError(f"{file}: groups is {_short(groups)}; give each group a name and a list: g1: [task, task]")
    for name, members in groups.items():
        if not isinstance(name, str):
            raise GraphError(f"{file}: a group is named {_short(name)}, which is no string to YAML; put it in quotes")
        if members is None or members == []:
            raise GraphError(f"{file}: group '{name}' is empty; add a task or remove the group")
        wrong = [one for one in members if not isinstance(one, str)] if isinstance(members, list) else [members]
        if wrong:
            shown = "an empty item" if wrong[0] is None else _short(wrong[0])
            raise GraphError(
                f"{file}: group '{name}' contains {shown}; "
                "give a list of task names, in quotes where a name looks like a number"
            )
    try:
        grouping = Grouping(
            groups=tuple(map(tuple, groups.values())),
            method=_text(content, "method", "manual"),
            objective=_number(content, "objective"),
            gap=_number(content, "gap"),
            seed=_whole(content, "seed"),
            settings=_mapping(content, "settings") or {},
            serves=_mapping(content, "serves"),
            labels=_labels(list(groups)),
        )
        grouping = grouping.renamed(aliases) if aliases else grouping
        if tasks is not None:
            _compare(grouping, tasks)
    except GraphError as error:
        raise GraphError(f"{file}: {error}") from None
    return grouping


def _read(file: Path) -> Mapping[str, Any]:
    """The mapping in the file, after checking its format and version."""
    missing = f"No groups at {file}; create them with `mvlpt group`, or write them by hand"
    content = read_yaml(file, error=GraphError, largest=MAX_BYTES, missing=missing, remedy="correct the file")
    check_head(content, file, "a groups file", format=FORMAT, version=VERSION, error=GraphError, remedy="group again")
    unknown = next((key for key in content if key not in _KEYS), None)
    if unknown is not None:
        raise GraphError(f"{file}: unknown key {_short(unknown)}{suggest(str(unknown), _KEYS)}")
    return content


def _compare(grouping: Grouping, tasks: Iterable[str]) -> None:
    """Refuses groups that do not contain exactly these tasks."""
    wanted = list(dict.fromkeys(tasks))
    held = set(grouping.tasks)
    unknown = sorted(held - set(wanted))
    if unknown:
        where = grouping.group_of(unknown[0])
        raise GraphError(f"the task '{unknown[0]}' of group '{where}' is unknown{suggest(unknown[0], wanted)}")
    missing = [task for task in wanted if task not in held]
    if missing:
        names = listed([f"'{task}'" for task in missing], 3)
        raise GraphError(f"no group contains {names}; every task must be in one")


def _labels(names: list[Any]) -> tuple[str, ...]:
    """The groups' names; empty if they are the default ones."""
    default = [f"g{number}" for number in range(1, len(names) + 1)]
    return () if names == default else tuple(names)


def _text(content: Mapping[str, Any], key: str, default: str) -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise GraphError(f"{key} is {_short(value)}; give a string")
    return value


def _number(content: Mapping[str, Any], key: str) -> float | None:
    value = content.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -(2**62) < value < 2**62:
        raise GraphError(f"{key} is {_short(value)}; give a number, or leave it out")
    return float(value)


def _whole(content: Mapping[str, Any], key: str) -> int:
    value = content.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**62:
        raise GraphError(f"{key} is {_short(value)}; give a whole number")
    return value


def _mapping(content: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    value = content.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise GraphError(f"{key} is {_short(value)}; give a mapping (name: value), or leave it out")
    return None if value is None else dict(value)


def _plain(value: Any) -> Any:
    """Settings as plain YAML values: arrays, sets and tuples become lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable):
        return [_plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    return value


def _short(value: Any) -> str:
    """A value shortened for a message."""
    return reprlib.repr(value) if value is not None else "missing"

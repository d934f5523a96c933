"""``mvlpt train --groups groups.yaml --group g1``: the tasks of a group, without their names being copied."""

from __future__ import annotations

import argparse

from mvlpt.config import split_names
from mvlpt.errors import ConfigError


def use_group(args: argparse.Namespace) -> None:
    """Puts the tasks of a group, its name and its arm into the options of a command line.

    A groups file names tasks as results do. Those that are files or folders are found where the file's settings say,
    or by ``--dataset``, if it is given too.

    Raises:
        ConfigError: ``--group`` without ``--groups``, or there is no such group.
        GraphError: the groups file cannot be used.
    """
    if not args.groups:
        if args.group:
            raise ConfigError("--group names a group of a groups file; name that, too: --groups groups.yaml")
        return
    from mvlpt.engine import load_shipped, own_name
    from mvlpt.graph import read_groups

    load_shipped()
    grouping = read_groups(args.groups)
    members = dict(zip(grouping.names, grouping.groups, strict=True))
    if not args.group and len(members) > 1:
        listed = "; ".join(f"{name}: {', '.join(tasks)}" for name, tasks in list(members.items())[:8])
        raise ConfigError(f"{args.groups} holds {len(members)} groups; name one with --group ({listed})")
    name = args.group or next(iter(members))
    if name not in members:
        raise ConfigError(f"{args.groups} has no group '{name}'; it has {', '.join(members)}")
    known = {own_name(task): task for task in split_names(args.dataset)}
    missing = [task for task in members[name] if known and task not in known]
    if missing:
        raise ConfigError(f"--dataset does not name '{missing[0]}' of group '{name}'; leave --dataset out, or add it")
    paths = {**dict(grouping.settings.get("paths") or {}), **known}
    args.dataset = ",".join(str(paths.get(task, task)) for task in members[name])
    args.opts = ["RUN.GROUP", name, "RUN.ARM", "grouped", *args.opts]

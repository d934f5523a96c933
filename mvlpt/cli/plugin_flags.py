"""Flags that a plugin's own ``train.py`` has and ours does not, such as ``--device``, on our command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

DEST = "of plugin: "


def add_plugin_flags(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> None:
    """Adds to a parser the flags of the plugins that a command line names; a flag that the parser has stays its own."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--plugin", action="append", nargs="?", default=[])
    plugins = first.parse_known_args(sys.argv[1:] if argv is None else argv)[0].plugin
    if not plugins:
        return
    from mvlpt.dassl import own_flags

    group = parser.add_argument_group("of the plugin")
    for flag in (flag for plugin in plugins if plugin for flag in own_flags(plugin)):
        if flag.name not in parser._option_string_actions:
            group.add_argument(flag.name, dest=DEST + flag.key, help=f"sets {flag.key}", **flag.keywords)


def plugin_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that such flags set, by key; ``None`` for those that the line does not name."""
    return {name.removeprefix(DEST): value for name, value in vars(args).items() if name.startswith(DEST)}

"""The tree of run options with its defaults, made from the table of options."""

from __future__ import annotations

import copy

from yacs.config import CfgNode

from mvlpt.config.node import Config
from mvlpt.config.options import OPTIONS


def get_cfg_default() -> Config:
    """A fresh, unfrozen copy of the default configuration."""
    cfg = Config()
    for option in OPTIONS.values():
        node: CfgNode = cfg
        *sections, leaf = option.key.split(".")
        for section in sections:
            if section not in node:
                node[section] = CfgNode()
            node = node[section]
        node[leaf] = copy.copy(option.default)
    return cfg

"""Run options: a yacs tree, checked and frozen before anything is built."""

from mvlpt.config.checks import check_config, task_names
from mvlpt.config.defaults import get_cfg_default
from mvlpt.config.files import options_in, options_set_in, read_yaml
from mvlpt.config.node import Config
from mvlpt.config.options import OPTIONS, Option
from mvlpt.config.shipped import find_config
from mvlpt.config.values import flatten

__all__ = [
    "OPTIONS",
    "Config",
    "Option",
    "check_config",
    "find_config",
    "flatten",
    "get_cfg_default",
    "options_in",
    "options_set_in",
    "read_yaml",
    "task_names",
]

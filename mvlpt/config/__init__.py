"""Run options: a yacs tree, checked and frozen before anything is built."""

from mvlpt.config.checks import allow_value, check_config, task_names
from mvlpt.config.defaults import get_cfg_default
from mvlpt.config.files import options_in, options_set_in, read_yaml
from mvlpt.config.names import is_path_like, split_names
from mvlpt.config.nearest import suggest_key
from mvlpt.config.node import Config
from mvlpt.config.options import OPTIONS, Option
from mvlpt.config.overrides import could_be_key, is_option_key, split_overrides
from mvlpt.config.shipped import find_config, short_names
from mvlpt.config.values import flatten

__all__ = [
    "OPTIONS",
    "Config",
    "Option",
    "allow_value",
    "check_config",
    "could_be_key",
    "find_config",
    "flatten",
    "get_cfg_default",
    "is_option_key",
    "is_path_like",
    "options_in",
    "options_set_in",
    "read_yaml",
    "short_names",
    "split_names",
    "split_overrides",
    "suggest_key",
    "task_names",
]

"""The configuration node: yacs, with unknown keys and wrong types reported together, each with its remedy."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from mvlpt.config.files import with_bases
from mvlpt.config.nearest import suggest_key
from mvlpt.config.overrides import split_overrides
from mvlpt.config.values import coerce, flatten
from mvlpt.errors import ConfigError


class Config(CfgNode):
    """A yacs tree whose merges name every unknown key and wrong type at once, and change nothing when one fails."""

    def merge_from_file(self, cfg_filename: str | os.PathLike[str]) -> None:
        """Merges a YAML file, after the one that it names as its ``_BASE_``, if it does.

        Raises:
            ConfigError: the file is missing, is no YAML mapping, is a ``.py`` file, or holds keys or values that
                do not fit.
        """
        self._merge(*((f"In {file}", flatten(content)) for file, content in with_bases(Path(cfg_filename))))

    def merge_from_other_cfg(self, cfg_other: CfgNode) -> None:
        """Merges another tree of options."""
        self._merge(("In the merged configuration", flatten(cfg_other)))

    def merge_from_list(self, cfg_list: Sequence[Any], origin: str = "the command line") -> None:
        """Merges ``[KEY, VALUE, KEY, VALUE, ...]``, as written at the end of a command line.

        ``KEY=VALUE`` counts as a pair, too.

        Args:
            cfg_list: keys and values in turn.
            origin: where errors say that they stand.

        Raises:
            ConfigError: a key has no value, keys or values do not fit, or an option of the program stands among them.
        """
        cfg_list = split_overrides(cfg_list)
        late = [word for word in cfg_list if isinstance(word, str) and word.startswith("--")]
        if late:
            raise ConfigError(f"The option {late[0]} stands after KEY VALUE; options come before them")
        if len(cfg_list) % 2:
            raise ConfigError(f"{cfg_list[-1]} has no value; options are set in pairs KEY VALUE, or as KEY=VALUE")
        pairs = list(zip(cfg_list[0::2], cfg_list[1::2], strict=True))
        self._merge((f"In {origin}", [(str(key), value) for key, value in pairs]))

    def clone(self) -> Config:
        """A copy of its own, frozen if this one is; ten times as fast as yacs's, which plans of many runs wait for."""
        return _copied(self)

    def flat(self) -> dict[str, Any]:
        """All options as ``{"OPTIM.LR": 0.002, ...}``, in the order of the tree."""
        return dict(flatten(self))

    def _merge(self, *sources: tuple[str, Sequence[tuple[str, Any]]]) -> None:
        """Merges keys and values from sources, the later over the earlier ones, or changes nothing."""
        known = self.flat()
        refused, accepted = [], []
        for origin, pairs in sources:
            problems = []
            for key, raw in pairs:
                try:
                    accepted.append((key, self._checked(key, raw, known)))
                except ConfigError as error:
                    problems.append(str(error))
            if problems:
                refused.append(f"{origin}: " + "; ".join(problems))
        if refused:
            raise ConfigError("; ".join(refused))
        if self.is_frozen():
            raise ConfigError(f"{sources[-1][0]}: the configuration is frozen; merge before it is built upon")
        for key, value in accepted:
            node: CfgNode = self
            *parents, leaf = key.split(".")
            for parent in parents:
                node = node[parent]
            node[leaf] = value

    @staticmethod
    def _checked(key: str, value: Any, known: Mapping[str, Any]) -> Any:
        """A value as the type of the option."""
        if key in known:
            return coerce(value, known[key], key)
        inner = [name for name in known if name.startswith(key + ".")]
        if inner:
            raise ConfigError(f"{key} is a section, not an option; set for instance {inner[0]}")
        raise ConfigError(f"unknown key {key}{suggest_key(key, known)}")


def _copied(value: Any) -> Any:
    """A deep copy of a value of an option, or of a section."""
    if isinstance(value, CfgNode):
        node = type(value).__new__(type(value))
        dict.update(node, {key: _copied(inner) for key, inner in value.items()})
        node.__dict__.update({key: copy.copy(inner) for key, inner in value.__dict__.items()})
        return node
    if value is None or isinstance(value, str | int | float):
        return value
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    return copy.deepcopy(value)

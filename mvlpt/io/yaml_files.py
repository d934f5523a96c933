"""YAML, read within bounds: plain values only, no key twice, limited nesting, limited expansion of aliases.

libyaml splits a text into its parts, since it is much faster than PyYAML's own parser. What libyaml refuses is read by
that one, which says more clearly what is wrong.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import BaseConstructor, SafeConstructor
from yaml.resolver import BaseResolver, Resolver

from mvlpt.errors import ConfigError, MvlptError
from mvlpt.io.limits import limit
from mvlpt.io.reading import REMEDY, read_text

DEEPEST = 64  # lists and mappings within each other
BYTES_OF_A_VALUE = 20  # a file may have so many bytes for each value that it may have
MOST_NODES = 2**22  # values of a document after its aliases are expanded
_VARIABLE = "MVLPT_MAX_YAML_VALUES"
_BROKEN = (yaml.scanner.ScannerError, yaml.parser.ParserError, yaml.reader.ReaderError, RecursionError, ValueError)


class _Bounded:
    """Checks nesting, repeated keys and the size after aliases are expanded, while the document is composed."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._count = 0
        self._most = limit(_VARIABLE)
        self._sizes: dict[int, int] = {}  # nodes below and including a node, aliases expanded

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """A node, counted."""
        event = self.peek_event()
        self._depth += 1
        self._count += 1
        if self._count > self._most:
            _refuse(event.start_mark, f"it has more than {self._most:,} values ({_VARIABLE} raises the limit)")
        if self._depth > DEEPEST:
            _refuse(event.start_mark, f"more than {DEEPEST} lists or mappings are nested in each other")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent) and id(node) not in self._sizes:
            _refuse(event.start_mark, f"the alias '*{event.anchor}' contains itself")
        if id(node) not in self._sizes:
            self._sizes[id(node)] = size = 1 + sum(self._sizes[id(child)] for child in _children(node))
            if size > MOST_NODES:
                _refuse(event.start_mark, f"it expands to more than {MOST_NODES:,} values")
        return node

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """A mapping without repeated keys."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    _refuse(key.start_mark, f"the key '{key.value}' is given twice")
                seen.add((key.tag, key.value))
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; what Python cannot hold (a 13th month, a million digits) is refused with its place."""
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except (ValueError, ArithmeticError, TypeError, LookupError, AttributeError) as problem:
            reason = "a number has too many digits" if "set_int_max_str_digits" in str(problem) else str(problem)
            if isinstance(problem, AttributeError | LookupError):
                reason = f"this is not a {node.tag.rpartition(':')[2]}"
            _refuse(node.start_mark, reason)


class _SafeLoader(_Bounded, yaml.SafeLoader):
    """Strings, numbers, dates, lists, mappings."""


class _StringLoader(_Bounded, yaml.BaseLoader):
    """Every scalar as it is written: ``no`` and ``01`` are strings."""


_BY_LIBYAML: tuple[type, type] | None = None
if yaml.__with_libyaml__:
    from yaml.cyaml import CParser

    class _LibyamlParts(Composer, CParser):
        """The parts of a text by libyaml, composed by PyYAML as those of its own parser are."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            for kind in (BaseConstructor, BaseResolver):
                kind.__init__(self)

    class _FastSafeLoader(_Bounded, _LibyamlParts, SafeConstructor, Resolver):
        """The values of :class:`_SafeLoader`."""

    class _FastStringLoader(_Bounded, _LibyamlParts, BaseConstructor, BaseResolver):
        """The values of :class:`_StringLoader`."""

    _BY_LIBYAML = _FastSafeLoader, _FastStringLoader


def _load(content: str, strings: bool) -> Any:
    """The value by libyaml, but where that refuses the text, or takes tabs for spaces, which PyYAML does not."""
    if _BY_LIBYAML is not None and "\t" not in content:
        with suppress(*_BROKEN):
            return yaml.load(content, Loader=_BY_LIBYAML[strings])
    return yaml.load(content, Loader=_StringLoader if strings else _SafeLoader)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refuse(mark: yaml.Mark | None, reason: str) -> None:
    raise yaml.MarkedYAMLError(problem=reason, problem_mark=mark)


def parse_yaml(
    content: str,
    where: str | os.PathLike[str],
    *,
    error: type[MvlptError] = ConfigError,
    remedy: str = REMEDY,
    strings: bool = False,
) -> Any:
    """The value that a YAML document holds; ``None`` for an empty one.

    Args:
        content: the text.
        where: what messages call it, such as the file's name.
        error: the type to raise.
        remedy: ends the sentence.
        strings: leave every scalar as it is written.

    Raises:
        MvlptError: of type ``error``; it is not YAML, asks for a type of Python's, gives a key twice, is nested too
            deeply, or grows too large when its aliases are expanded.
    """
    most = BYTES_OF_A_VALUE * limit(_VARIABLE)
    if len(content) > most:
        raise error(f"{where} has more than the {most:,} characters that are read ({_VARIABLE} raises the limit)")
    try:
        return _load(content, strings)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        reason = place + ", ".join(" ".join(part.split()) for part in (problem.context, problem.problem) if part)
    except (yaml.YAMLError, ValueError) as problem:
        reason = " ".join(str(problem).split())
    except RecursionError:
        reason = "it is nested too deeply"
    raise error(f"{where} is not valid YAML: {reason}; {remedy}") from None


def read_yaml(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = ConfigError,
    largest: int | None = None,
    missing: str = "",
    remedy: str = REMEDY,
    strings: bool = False,
) -> Any:
    """The value in a YAML file.

    Args:
        path: the file.
        error: the type to raise.
        largest: a longer file is refused, in bytes; by default ``MVLPT_MAX_TEXT_MB``.
        missing: the whole sentence for a file that does not exist.
        remedy: ends every other sentence.
        strings: leave every scalar as it is written.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, too large, or not YAML within bounds.
    """
    text = read_text(path, error=error, largest=largest, missing=missing, remedy=remedy)
    return parse_yaml(text, str(path), error=error, remedy=remedy, strings=strings)

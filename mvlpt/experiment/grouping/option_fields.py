"""Options that are declared once: dataclass fields with all that the command line and an experiment file need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import ConfigError, suggest


@dataclass(frozen=True, eq=False)
class Kind:
    """What values an option takes.

    Attributes:
        types: of a value in a YAML file.
        wanted: the same in words.
        argument: what :mod:`argparse` is given for it.
        convert: makes the field's value of what a file or a command line gives, and of the option's name there.
    """

    types: tuple[type, ...]
    wanted: str
    argument: Mapping[str, Any]
    convert: Callable[[Any, str], Any] = lambda value, name: value


def parse_links(value: Any, name: str) -> tuple[tuple[str, ...], ...]:
    """Sets of tasks: ``["a+b", ["c", "d"]]`` as ``(("a", "b"), ("c", "d"))``.

    Args:
        value: one set or a list of them; each is a list of names, or one string with ``+`` between the names.
        name: of the option.

    Raises:
        ConfigError: a set does not name two tasks.
    """
    return tuple(_link(one, name) for one in ([value] if isinstance(value, str) else value))


def _link(value: Any, name: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split("+")) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or len(names) < 2 or not all(names):
        raise ConfigError(f"{name} takes two tasks or more, joined by '+' (a+b), not '{value}'")
    return tuple(map(str, names))


def _weights(value: Any, name: str) -> str:
    return ",".join(f"{key}={weight}" for key, weight in value.items()) if isinstance(value, Mapping) else value


STRING = Kind((str,), "a string", {"default": ""})
WHOLE = Kind((int,), "a whole number", {"type": int})
NUMBER = Kind((int, float), "a number", {"type": float})
SWITCH = Kind((bool,), "true or false", {"action": "store_true"})
LINKS = Kind(
    (list, tuple, str), "a list of tasks that are joined by +", {"action": "append", "default": []}, parse_links
)
WEIGHTS = Kind((str, Mapping), "weights, such as visual=0.5,label=0.5", {"default": ""}, _weights)


@dataclass(frozen=True)
class OptionField:
    """One option.

    Attributes:
        name: of the field, which is its key in a file.
        default: its value where nothing is given.
        kind: what values it takes.
        help: one phrase for people.
        flag: of the command line, ``""`` for none; the flag of a switch gives the value that is not the default.
        metavar: what stands for the value in the help.
        heading: of the help, under which it is listed.
        minimum: the smallest number allowed; ``None`` for any.
    """

    name: str
    default: Any
    kind: Kind
    help: str
    flag: str = ""
    metavar: str | None = None
    heading: str = ""
    minimum: int | None = None

    @property
    def dest(self) -> str:
        """The attribute under which :mod:`argparse` keeps the flag's value."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def argument(self) -> dict[str, Any]:
        """Keyword arguments of :meth:`argparse.ArgumentParser.add_argument` for the flag."""
        metavar = {"metavar": self.metavar} if self.metavar else {}
        return {**self.kind.argument, **metavar, "help": self.help}

    def parsed(self, value: Any) -> Any:
        """The field's value for what :mod:`argparse` made of the flag.

        Raises:
            ConfigError: it cannot be used.
        """
        return not self.default if self.kind is SWITCH else self.kind.convert(value, self.flag)

    def checked(self, value: Any, where: str = "") -> Any:
        """The field's value for one from a file or a caller.

        Args:
            value: not ``None``.
            where: what comes before the option's name in messages, such as ``grouping.``.

        Raises:
            ConfigError: it is of another kind.
        """
        if problem := self._wrong_type(value, where):
            raise ConfigError(problem)
        return self.kind.convert(value, where + self.name)

    def problem(self, value: Any, where: str = "") -> str:
        """What is wrong with a value from a file, as a sentence; empty if nothing is.

        Args:
            value: to check; ``None`` stands for the default.
            where: what comes before the option's name in the file, such as ``grouping.``.
        """
        if value is None:
            return ""
        problem = self._wrong_type(value, where)
        if not problem and self.minimum is not None and value < self.minimum:
            return f"{where}{self.name} is {value!r}; give {self.kind.wanted} of at least {self.minimum}"
        return problem

    def _wrong_type(self, value: Any, where: str) -> str:
        types = self.kind.types
        if isinstance(value, types) and (bool in types or not isinstance(value, bool)):
            return ""
        return f"{where}{self.name} is {value!r}; give {self.kind.wanted}"


def option(default: Any, kind: Kind, help: str, **details: Any) -> Any:
    """A dataclass field that is an option; the details are those of :class:`OptionField`."""
    return dataclasses.field(default=default, metadata={"kind": kind, "help": help, **details})


def option_fields(options: type) -> tuple[OptionField, ...]:
    """The options that a dataclass declares, in its order."""
    fields = dataclasses.fields(options)
    return tuple(OptionField(one.name, one.default, **one.metadata) for one in fields if "kind" in one.metadata)


def section_problems(known: Sequence[OptionField], section: Mapping[str, Any], where: str) -> Iterator[str]:
    """A sentence for each key and value of a file's section that cannot be used.

    Args:
        known: the section's options.
        section: as read from the file.
        where: what comes before a key in the sentences, such as ``grouping.``.
    """
    named = {one.name: one for one in known}
    for key in section:
        if key not in named:
            yield f"unknown key '{where}{key}'{suggest(str(key), named)}"
    yield from filter(None, (named[key].problem(value, where) for key, value in section.items() if key in named))

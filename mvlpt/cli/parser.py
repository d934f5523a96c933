"""The parser of every command: one spelling is documented, others are understood, and mistakes get one line.

Options may stand before or after ``KEY VALUE`` (or ``KEY=VALUE``) of the configuration. The names of tasks and of the
folder that is written to are understood in every command as any of the commands spells them.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from mvlpt.config import OPTIONS, could_be_key, is_option_key, split_overrides
from mvlpt.errors import ConfigError, suggest

ALIASES = (("--dataset", "--tasks"), ("--output-dir", "--out"))
SEVERAL = "several"  # attribute of an action whose values may be separated by spaces as well as by commas


class CommandParser(argparse.ArgumentParser):
    """Parses the words of a command; raises :class:`ConfigError` in the place of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raises the error of a word that cannot be parsed, in one line."""
        what = _plain(message)
        raise ConfigError(f"{what}{' ' if what.endswith('?') else '; '}`{self.prog} --help` explains the options")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse's, but unknown options are refused first, and options of the configuration may stand anywhere."""
        self._add_aliases()
        words, overrides = self._sorted([str(word) for word in (sys.argv[1:] if args is None else args)])
        parsed, unknown = super().parse_known_args(words, namespace)
        if overrides:
            parsed.opts = split_overrides(overrides)
        return parsed, unknown

    def _add_aliases(self) -> None:
        """Makes every spelling of an option known, without a word in the help."""
        for spellings in ALIASES:
            known = [name for name in spellings if name in self._option_string_actions]
            if len(known) == 1:
                action = self._option_string_actions[known[0]]
                self._option_string_actions.update(dict.fromkeys(spellings, action))
        tasks = self._option_string_actions.get(ALIASES[0][0])
        if tasks is not None and tasks.nargs is None:
            setattr(tasks, SEVERAL, True)

    def _sorted(self, words: list[str]) -> tuple[list[str], list[str]]:
        """Options and their values, and ``KEY VALUE``; the words of a subcommand are left to its own parser."""
        positional = {action.dest for action in self._actions if not action.option_strings}
        options: list[str] = []
        overrides: list[str] = []
        index = 0
        while index < len(words):
            word = words[index]
            index += 1
            if self._subparsers is not None and not word.startswith("-"):
                return [*options, word, *words[index:]], overrides
            if word.startswith("--") and word != "--":
                name, sign, _ = word.partition("=")
                action = self._action_of(name)
                options.append(word)
                taken = 0 if sign else _values_of(action, words[index:])
                options += _joined(action, words[index : index + taken])
                index += taken
            elif "opts" in positional and self._is_key(word, words[index:]):
                overrides.append(word)
                if "=" not in word and index < len(words) and self._is_value(words[index]):
                    overrides.append(words[index])
                    index += 1
            elif positional == {"opts"} and not word.startswith("-"):
                raise ConfigError(self._stray(word))
            else:
                options.append(word)
        return options, overrides

    def _is_key(self, word: str, following: Sequence[str]) -> bool:
        """Whether a word that is no value is a key: a known one, one in a section, or one at the root with a value."""
        key, sign, _ = word.partition("=")
        if is_option_key(key):
            return True
        has_value = sign or any(map(self._is_value, following[:1]))
        return bool(has_value) and could_be_key(key)

    def _is_value(self, word: str) -> bool:
        """Whether the word after a key is its value, which may begin with a minus sign."""
        return not word.startswith("--") or word.partition("=")[0] not in self._option_string_actions

    def _action_of(self, name: str) -> argparse.Action | None:
        """The action of an option or of the beginning of one.

        Raises:
            ConfigError: there is none, or several begin like this.
        """
        known = self._option_string_actions
        if name in known:
            return known[name]
        near = {id(action): option for option, action in known.items() if option.startswith(name)}
        if len(near) == 1:
            return known[next(iter(near.values()))]
        if near:
            raise ConfigError(f"{name} may mean {' or '.join(sorted(near.values()))}; write it in full")
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        close = suggest(name, [option for action in shown for option in action.option_strings])
        found = close if close.startswith("; did you mean") else f"; `{self.prog} --help` lists them"
        raise ConfigError(f"{self.prog} has no option {name}{found}")

    def _stray(self, word: str) -> str:
        """What is wrong with a word that is neither an option, nor the value of one, nor a key."""
        if "." in word and is_option_key(word.partition("=")[0].upper()):
            return f"'{word}' is no option; write keys of the configuration in capitals: {word.upper()}"
        return (
            f"'{word}' belongs to no option; set options of the configuration as KEY VALUE or KEY=VALUE,"
            f" such as OPTIM.LR 0.005 (`{self.prog} --help`)"
        )


def _values_of(action: argparse.Action | None, words: Sequence[str]) -> int:
    """How many of the following words are values of an option."""
    following = 0
    for word in words:
        key, sign, _ = word.partition("=")
        is_key = is_option_key(key) or key.upper() in OPTIONS or (sign != "" and could_be_key(key))
        if word.startswith("--") or (following and is_key):
            break
        following += 1
    if action is None or action.nargs == 0:
        return 0
    if getattr(action, SEVERAL, False) or action.nargs in ("+", "*"):
        return following
    if action.nargs == "?":
        return min(following, 1) if words and not is_option_key(words[0].partition("=")[0]) else 0
    count = action.nargs if isinstance(action.nargs, int) else 1
    return min(count, len(words))


def _joined(action: argparse.Action | None, words: Sequence[str]) -> list[str]:
    """The values of an option; names of tasks as one word."""
    if not getattr(action, SEVERAL, False) or len(words) < 2:
        return list(words)
    return [",".join(word.strip(",") for word in words if word.strip(","))]


def _plain(message: str) -> str:
    """argparse's message as a sentence."""
    required = re.match(r"the following arguments are required: (.*)", message)
    if required:
        names = required.group(1).split(", ")
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
    choice = re.match(r"argument (.*?): invalid choice: '?(.*?)'? \(choose from (.*)\)", message)
    if choice:
        known = [name.strip().strip("'") for name in choice.group(3).split(",")]
        what = choice.group(1)
        named = f"{what} is '{choice.group(2)}'" if what.startswith("-") else f"there is no '{choice.group(2)}'"
        return f"{named}{suggest(choice.group(2), known)}"
    typed = re.match(r"argument (.*?): invalid (\w+) value: (.*)", message)
    if typed:
        kind = {"int": "a whole number", "float": "a number"}.get(typed.group(2), f"a value of type {typed.group(2)}")
        return f"{typed.group(1).split('/')[0]} takes {kind}, not {typed.group(3)}"
    expected = re.match(r"argument (.*?): expected (.*)", message)
    if expected:
        return f"{expected.group(1).split('/')[0]} needs {expected.group(2).replace('argument', 'value')}"
    return message.removeprefix("argument ")

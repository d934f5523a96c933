"""The options of runs as tables: what they mean, and in which of them two configurations differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mvlpt.config import OPTIONS, Option, options_in, suggest_key
from mvlpt.errors import ConfigError
from mvlpt.report.sheets import Column, Entry, Sheet, markdown


def find_options(word: str = "") -> list[Option]:
    """All options, those of a section, or those with a word in their name or help.

    Raises:
        ConfigError: there is none.
    """
    lowered = word.lower()
    section = [option for option in OPTIONS.values() if option.key.lower().startswith(f"{lowered}.")]
    chosen = section or [
        option for option in OPTIONS.values() if lowered in option.key.lower() or lowered in option.help.lower()
    ]
    if not chosen:
        raise ConfigError(f"No option has '{word}' in its name or its meaning{suggest_key(word, OPTIONS)}")
    return chosen


def find_option(key: str) -> Option:
    """The option of this name, in any case.

    Raises:
        ConfigError: there is none, or it is a section.
    """
    name = key.upper()
    if name in OPTIONS:
        return OPTIONS[name]
    inner = [known for known in OPTIONS if known.startswith(f"{name}.")]
    if inner:
        raise ConfigError(f"{name} is a section; `mvlpt config list {name}` lists its {len(inner)} options")
    raise ConfigError(f"No option is named {key}{suggest_key(name, OPTIONS)}")


def options_sheet(options: Iterable[Option]) -> Sheet:
    """A table of options: name, default, meaning."""
    columns = tuple(Column((title,), left=True) for title in ("option", "default", "meaning"))
    rows = tuple(tuple(map(Entry, (option.key, as_word(option.default), _meaning(option)))) for option in options)
    return Sheet("", columns, rows)


def explain_option(option: Option) -> str:
    """All that is known of an option, in a few lines."""
    takes = ", ".join(map(as_word, option.choices)) or option.kind
    if option.minimum is not None:
        takes += f", at least {option.minimum:g}"
    if option.maximum is not None:
        takes += f", at most {option.maximum:g}"
    matters = "depend on it" if option.affects_results else "do not depend on it; a resumed run may change it"
    return "\n".join(
        [
            option.key,
            f"  {option.help}",
            f"  default   {as_word(option.default)}",
            f"  takes     {takes}",
            f"  results   {matters}",
            f"  known to  {'this framework' if option.ours else 'Dassl, CoOp or the code of the paper as well'}",
        ]
    )


def options_page() -> str:
    """The reference page of all options, section by section, in Markdown."""
    sections: dict[str, list[Option]] = {}
    for option in OPTIONS.values():
        sections.setdefault(option.key.partition(".")[0] if "." in option.key else "", []).append(option)
    head = (
        "# Options\n\nEvery option of a run, its default and its meaning. This page is written by"
        " `mvlpt config list --format page`.\nSet options in a YAML file (`--config-file`) or at the end of a command"
        " (`OPTIM.LR 0.005`); [how they combine](config.md)."
    )
    tables = [f"## {name or 'At the root'}\n\n{markdown(options_sheet(some))}" for name, some in sections.items()]
    return "\n\n".join([head, *tables]) + "\n"


def differences_sheet(a: str, b: str = "") -> Sheet:
    """A table of the options in which two configurations differ.

    Args:
        a: a YAML file or a run's folder.
        b: another one; empty for the defaults.

    Raises:
        ConfigError: one cannot be read.
    """
    left, right = options_in(a), options_in(b) if b else {key: option.default for key, option in OPTIONS.items()}
    rows = []
    for key in dict.fromkeys((*left, *right)):
        values = [as_word(side[key]) if key in side else "unset" for side in (left, right)]
        if values[0] != values[1]:
            matters = key not in OPTIONS or OPTIONS[key].affects_results
            rows.append(tuple(map(Entry, (key, *values, "may differ" if matters else "the same"))))
    titles = ("option", a, b or "default", "results")
    return Sheet("", tuple(Column((title,), left=True) for title in titles), tuple(rows))


def as_word(value: Any) -> str:
    """A value as it is written on a command line."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or '""'
    return str(value) if value != "" else '""'


def _meaning(option: Option) -> str:
    limits = []
    if any(choice not in option.help for choice in option.choices):
        limits.append(", ".join(map(as_word, option.choices)))
    if option.minimum is not None:
        limits.append(f"at least {option.minimum:g}")
    if option.maximum is not None:
        limits.append(f"at most {option.maximum:g}")
    return option.help + (f" ({'; '.join(limits)})" if limits else "")

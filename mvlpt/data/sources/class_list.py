"""Class names of a custom task: in label order, with synonyms and the keys that the data use for them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from mvlpt.errors import DataError, suggest
from mvlpt.io import parse_json, parse_yaml, read_text

MOST_CLASSES = 100_000
MOST_DIGITS = 20  # of a class number, leading zeros included


@dataclass(frozen=True)
class ClassList:
    """Classes in label order.

    Attributes:
        names: the names used in prompts.
        keys: their names in the data (folder names, labels in a manifest); by default the class names.
        synonyms: further names, by label.
        templates: prompt templates given with the names; empty for the default.
    """

    names: tuple[str, ...]
    keys: tuple[str, ...] = ()
    synonyms: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    templates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.names) > MOST_CLASSES:
            raise DataError(f"There are {len(self.names):,} classes; a task has at most {MOST_CLASSES:,}")

    def label(self, word: str | int, where: str) -> int:
        """The label of a word in the data.

        The first match counts: a key; a name; a synonym; one of them in another spelling (:func:`folded_name`); a
        class number. If class names are themselves numbers, a number is always a name.

        Raises:
            DataError: it matches no class, or its spelling could mean several.
        """
        text = str(word).strip()
        label = self._exact.get(text)
        if label is not None and label < 0:
            raise DataError(f"{where}: '{text}' is a name of several classes; give each of them a name of its own")
        if label is None:
            label = self._in_another_spelling(text, where)
        if label is None:
            label = self._class_number(text)
        if label is None:
            raise DataError(f"{where}: '{text}' is none of the {len(self.names)} classes{suggest(text, self._exact)}")
        return label

    @cached_property
    def _exact(self) -> dict[str, int]:
        """Labels of keys, names and synonyms; a key has precedence over a name, and a name over a synonym.

        A name or a synonym of several classes has label -1.
        """
        found: dict[str, int] = {}
        for words in self._words:
            labels: dict[str, int] = {}
            for label, word in words:
                labels[word] = label if labels.get(word, label) == label else -1
            found = labels | found
        return found

    @cached_property
    def _words(self) -> list[list[tuple[int, str]]]:
        """Labels with keys, with names and with synonyms."""
        synonyms = [(label, name) for label, names in self.synonyms.items() for name in names]
        return [list(enumerate(self.keys)), list(enumerate(self.names)), synonyms]

    @cached_property
    def _numbered(self) -> bool:
        """Numbers are labels, not names."""
        return not any(word.isdecimal() for word in (*self.keys, *self.names))

    def _in_another_spelling(self, text: str, where: str) -> int | None:
        found = self._folded.get(folded_name(text), {})
        if len(found) > 1:
            both = " and ".join(f"'{word}'" for word in list(found.values())[:2])
            raise DataError(f"{where}: '{text}' could mean {both}; write one of them exactly")
        return next(iter(found), None)

    def _class_number(self, text: str) -> int | None:
        if not self._numbered or not text.isdecimal() or len(text) > MOST_DIGITS:
            return None
        return int(text) if int(text) < len(self.names) else None

    @cached_property
    def _folded(self) -> dict[str, dict[int, str]]:
        """For each folded spelling the labels that have it, each with a word."""
        found: dict[str, dict[int, str]] = {}
        for label, word in chain.from_iterable(self._words):
            found.setdefault(folded_name(word), {}).setdefault(label, word)
        return found


def folded_name(name: str) -> str:
    """A name without regard to case, and with spaces, underscores and hyphens between letters or digits as one space.

    All other signs count: ``C``, ``C++`` and ``C#`` are three names, ``blue_jay`` and ``Blue Jay`` one.
    """
    folded = unicodedata.normalize("NFC", name.strip()).casefold()
    return re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", " ", folded)


def check_spellings(words: Sequence[str], where: str) -> None:
    """Refuses labels that differ only in their spelling, such as ``Blue_Jay`` and ``blue jay``, as two classes.

    Raises:
        DataError: names two of them.
    """
    seen: dict[str, str] = {}
    for word in words:
        other = seen.setdefault(folded_name(word), word)
        if other != word:
            raise DataError(
                f"{where}: '{other}' and '{word}' differ only in spelling; write them alike, or list both as classes "
                "in a task file"
            )


def parse_class_list(content: Any, where: str) -> ClassList:
    """Classes from a list or mapping, as YAML and JSON give them.

    Args:
        content: a list of names, each a string or a list of a name and its synonyms; or a mapping from keys in the
            data to such names. Either may be under ``classes``, beside ``templates``.
        where: begins the error message.

    Raises:
        DataError: it has none of these forms, is empty, or contains a class twice.
    """
    templates: tuple[str, ...] = ()
    if isinstance(content, Mapping) and isinstance(content.get("classes"), (list, Mapping)):
        unknown = set(content) - {"classes", "templates"}
        if unknown:
            raise DataError(
                f"{where}: besides 'classes' there may be 'templates', not '{sorted(map(str, unknown))[0]}'"
            )
        templates = checked_templates(content.get("templates", ()), where)
        content = content["classes"]
    if isinstance(content, Mapping):
        keys, rows = [str(key) for key in content], list(content.values())
    elif isinstance(content, Sequence) and not isinstance(content, str):
        keys, rows = [], list(content)
    else:
        raise DataError(f"{where}: classes must be a list of names, or a mapping from folder names to names")
    groups = [[_name(one, where) for one in (row if isinstance(row, list) else [row])] for row in rows]
    if not groups or any(not group or not all(group) for group in groups):
        raise DataError(f"{where}: the list of classes is empty or contains an empty name")
    names = [group[0] for group in groups]
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None and not keys:
        raise DataError(f"{where}: the class '{repeated}' is listed twice")
    synonyms = {label: tuple(group[1:]) for label, group in enumerate(groups) if group[1:]}
    return ClassList(tuple(names), tuple(keys), synonyms, templates)


def _name(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise DataError(f"{where}: the class name {value!r} is not a string; put it in quotes")
    return str(value).strip()


def read_class_list(path: Path) -> ClassList:
    """Classes from a file: ``.yaml`` or ``.json`` as :func:`parse_class_list`, else text with one class a line,
    ``name; synonym; synonym``.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    text = read_text(path, missing=f"The file of class names {path} does not exist")
    if path.suffix.lower() in (".yaml", ".yml"):
        return parse_class_list(parse_yaml(text, path, error=DataError, strings=True), str(path))  # as in task files
    if path.suffix.lower() == ".json":
        return parse_class_list(parse_json(text, path), str(path))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return parse_class_list([[one.strip() for one in line.split(";") if one.strip()] for line in lines], str(path))


def checked_templates(content: Any, where: str) -> tuple[str, ...]:
    """Prompt templates, each with exactly one ``{}``.

    Raises:
        DataError: a template is not a string or has not exactly one ``{}``.
    """
    rows = [content] if isinstance(content, str) else content
    if not isinstance(rows, Sequence) or not all(isinstance(row, str) for row in rows):
        raise DataError(f"{where}: templates must be a list of strings")
    wrong = next((row for row in rows if row.count("{}") != 1 or row.replace("{}", "").count("{")), None)
    if wrong is not None:
        raise DataError(f"{where}: the template '{wrong}' must contain exactly one {{}}, which the class name replaces")
    return tuple(rows)

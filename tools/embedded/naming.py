"""From an icon's file name to what it shows: style words and sizes are stripped, the rest is the label."""

from __future__ import annotations

import re

STYLE_WORDS = frozenset(
    {
        "outline", "outlined", "line", "fill", "filled", "solid", "bold", "broken", "duotone", "linear", "twotone",
        "rounded", "round", "sharp", "thin", "light", "regular", "alt", "sm", "mini", "remix", "flat", "simple",
        "ios", "md",
    }
)  # fmt: skip
STYLE_LETTERS = frozenset("ofs")
# Names whose last word looks like a style but is part of the thing.
THINGS_ENDING_IN_STYLE = frozenset(
    {
        "bold", "format bold", "text bold", "type bold", "line", "outline", "solid", "round", "light", "flat", "thin",
        "traffic light", "head light", "flash light", "night light", "spot light", "day light", "ceiling light",
        "brake light", "police car light", "stop light", "street light", "moon light", "color fill", "battery fill",
        "under line", "sky line", "air line", "pipe line", "time line", "dotted line", "dash line", "vertical line",
        "horizontal line", "clothes line", "zip line", "finish line", "bar", "s", "o", "f",
    }
)  # fmt: skip
SKIN_WORDS = frozenset({"skin", "tone"})


def words_of(name: str) -> list[str]:
    """Splits a kebab- or snake-case file name into lower-case words."""
    return [word for word in re.split(r"[-_\s]+", name.lower()) if word]


def strip_style(name: str) -> tuple[str, str]:
    """Splits a file name into (label, style).

    Words that name a drawing style, a size or a running number are removed from the end, one at a time, as long as
    something is left and the rest is not another thing that ends in such a word (``traffic-light``).

    Args:
        name: File name without extension, e.g. ``sun-2-bold-duotone``.

    Returns:
        Label with spaces (``sun``) and the stripped words (``2 bold duotone``).
    """
    words = words_of(name)
    style: list[str] = []
    while len(words) > 1 and " ".join(words) not in THINGS_ENDING_IN_STYLE:
        last = words[-1]
        if not (last in STYLE_WORDS or last in STYLE_LETTERS or last.isdigit()):
            break
        style.insert(0, words.pop())
    return " ".join(words), " ".join(style)


def slug(label: str) -> str:
    """File-system name of a label: ``cloud rain`` -> ``cloud-rain``."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def is_caption(label: str) -> bool:
    """Whether a label can serve as a pretraining caption: one to four plain English-looking words."""
    words = label.split()
    if not 1 <= len(words) <= 4 or SKIN_WORDS & set(words):
        return False
    return all(re.fullmatch(r"[a-z]+|[0-9]", word) for word in words) and any(len(word) > 1 for word in words)


def class_index(classes: dict[str, list[str]]) -> dict[str, str]:
    """Inverts ``class -> file names`` to ``file name -> class``; a file name may serve one class only."""
    index: dict[str, str] = {}
    for class_name, names in classes.items():
        for name in names:
            if name in index:
                raise ValueError(f"File name {name!r} is given to both {index[name]!r} and {class_name!r}.")
            index[name] = class_name
    return index

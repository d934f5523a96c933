"""The option that an unknown key may have meant: by its last part, by what the option means, by its spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from mvlpt.config.options import OPTIONS

SMALL_WORDS = frozenset(("a", "an", "the", "of", "in", "to", "for", "and", "or", "num", "number", "max", "n"))


def suggest_key(key: str, known: Iterable[str]) -> str:
    """Ends an error sentence about an unknown key: ``"; did you mean 'OPTIM.LR'?"``, or where to look.

    Args:
        key: as the user wrote it.
        known: all keys.
    """
    asked = key.upper().replace("IZE", "ISE").replace("SISE", "SIZE")  # British, as the table's help is
    options = list(known)
    scores = {option: _likeness(asked, option) for option in options}
    best = max(options, key=lambda option: scores[option], default="")
    return f"; did you mean '{best}'?" if best and scores[best] >= 0.6 else "; `mvlpt config list` shows them all"


def _likeness(asked: str, option: str) -> float:
    """From 0 to 1: the last parts count most, then the sections."""
    *sections, leaf = asked.split(".")
    *own_sections, own_leaf = option.split(".")
    likeness = max(_leaf_likeness(leaf, own_leaf, option), 0.95 * difflib.SequenceMatcher(None, asked, option).ratio())
    shared = difflib.SequenceMatcher(None, ".".join(sections), ".".join(own_sections)).ratio() if sections else 0.5
    return 0.85 * likeness + 0.15 * shared


def _leaf_likeness(leaf: str, own: str, option: str) -> float:
    if leaf == own:
        return 1.0
    words, own_words = leaf.split("_"), own.split("_")
    if leaf.replace("_", "") == own.replace("_", ""):
        return 0.98
    meaning = re.findall(r"[a-z]+", OPTIONS[option].help.partition(";")[0].lower()) if option in OPTIONS else []
    said = [word.lower() for word in words]
    content = [word for word in meaning if word not in SMALL_WORDS]
    if said in (content, meaning):  # LEARNING_RATE: "learning rate"
        return 0.97
    if len(own) > 1 and own == "".join(word[0] for word in words if word):  # LEARNING_RATE: LR
        return 0.95
    if len(leaf) > 1 and leaf == "".join(word[0] for word in own_words if word):  # WD: WEIGHT_DECAY
        return 0.9
    strong = {_stem(word) for word in words} - SMALL_WORDS
    own_strong = {_stem(word) for word in own_words} - SMALL_WORDS
    if strong and own_strong and (strong <= own_strong or own_strong <= strong):  # EPOCHS: MAX_EPOCH
        return 0.7 + 0.2 * len(strong & own_strong) / len(strong | own_strong)
    return difflib.SequenceMatcher(None, leaf, own).ratio()


def _stem(word: str) -> str:
    lowered = word.lower()
    return lowered[:-1] if lowered.endswith("s") and len(lowered) > 3 else lowered

"""``KEY VALUE`` and ``KEY=VALUE`` as they are written at the end of a command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mvlpt.config.options import OPTIONS

_KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.\w+)*")


def is_option_key(word: Any) -> bool:
    """Whether a word is written as a key of the configuration: ``OPTIM.LR``, or a key at the root, such as ``SEED``."""
    return isinstance(word, str) and (word in OPTIONS or ("." in word and could_be_key(word)))


def could_be_key(word: str) -> bool:
    """As :func:`is_option_key`, but any word in capitals may be a key at the root, where plugins may have their own."""
    return _KEY.fullmatch(word) is not None


def split_overrides(words: Sequence[Any]) -> list[Any]:
    """``[KEY, VALUE, ...]`` from words of which some have the form ``KEY=VALUE``."""
    pairs: list[Any] = []
    for word in words:
        key, sign, value = word.partition("=") if isinstance(word, str) else ("", "", "")
        if len(pairs) % 2 == 0 and sign and could_be_key(key):
            pairs += [key, value]
        else:
            pairs.append(word)
    return pairs

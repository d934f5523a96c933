"""The token layout of class prompts: start, contexts, name, full stop and end as plain integers, without a model.

Shape legend: K classes, P contexts, L tokens.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import PromptError, suggest
from mvlpt.io import counted, listed

logger = logging.getLogger(__name__)
POSITIONS = ("end", "middle", "front")
PLAIN_TEMPLATE = "a photo of a {}."


@dataclass(frozen=True)
class TextLayout:
    """One row per class. An entry >= 0 is a token id; an entry < 0 is context ``-(entry + 1)``.

    Attributes:
        rows: the prompts, from start token to end token, without padding.
        n_ctx: contexts in each prompt, 0 for a prompt without contexts.
        class_specific: every class has contexts of its own, so that equal entries < 0 are not shared.
    """

    rows: tuple[tuple[int, ...], ...]
    n_ctx: int
    class_specific: bool = False

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return max(len(row) for row in self.rows)

    def shared_prefix(self) -> int:
        """How many leading tokens all prompts have in common, the end token excluded."""
        first, limit = self.rows[0], min(len(row) for row in self.rows) - 1
        for position in range(limit):
            entry = first[position]
            if (entry < 0 and self.class_specific) or any(row[position] != entry for row in self.rows):
                return position
        return limit


def clean_class_names(class_names: Sequence[Any], *, keep_full_stop: bool = False) -> list[str]:
    """Names as they are put into a prompt: of synonyms the first, ``_`` read as a space, no full stop at the end.

    Args:
        class_names: the names; several synonyms of a class as a list.
        keep_full_stop: leave a full stop at the end of a name, as for templates, which bring no full stop of their own
            where names are sentences.

    Raises:
        PromptError: no names, or a name without letters.
    """
    if isinstance(class_names, str):
        raise PromptError(f"Class names must be a list, not the single string {class_names!r}")
    names = [name if isinstance(name, str) else str(next(iter(name), "")) for name in class_names]
    if not names:
        raise PromptError("The list of class names is empty; a prompt needs at least one class")
    cleaned = [name.replace("_", " ").strip() for name in names]
    for position, name in enumerate(cleaned):
        if not name.rstrip(". "):
            raise PromptError(f"Class name {position} is empty: {names[position]!r}")
    if keep_full_stop:
        return cleaned
    return [name.rstrip(". ") if name.endswith(".") else name for name in cleaned]


def warn_of_duplicates(names: Sequence[str], ranges: Sequence[tuple[int, int]] | None = None) -> None:
    """Warns of names that occur more than once within a task; equal names in different tasks are normal."""
    for start, stop in ranges or [(0, len(names))]:
        seen: set[str] = set()
        duplicates = sorted({name for name in names[start:stop] if name.lower() in seen or seen.add(name.lower())})
        if duplicates:
            where = f" in classes {start} to {stop - 1}" if ranges else ""
            logger.warning("Class names occur more than once%s and cannot be told apart: %s", where, listed(duplicates))


def check_position(position: str) -> None:
    """Raises PromptError unless class names can stand at ``position``."""
    if position not in POSITIONS:
        raise PromptError(f"CLASS_TOKEN_POSITION '{position}' is not one of {POSITIONS}{suggest(position, POSITIONS)}")


def prompt_layout(
    tokenizer: Any,
    class_names: Sequence[str],
    *,
    n_ctx: int,
    position: str,
    context_length: int,
    class_specific: bool = False,
    frozen_context: Sequence[int] = (),
) -> TextLayout:
    """Lays out ``[start][contexts][name][.][end]``, or the order that ``position`` asks for.

    Args:
        tokenizer: open_clip's SimpleTokenizer.
        class_names: cleaned names.
        n_ctx: number P of learned contexts.
        position: of the class name: ``end``, ``middle`` (contexts in halves around it) or ``front``.
        context_length: the most tokens the model takes.
        class_specific: every class has contexts of its own.
        frozen_context: token ids that follow the last context: the rest of an initialisation in words.

    Raises:
        PromptError: unknown position, or a prompt longer than the model takes.
    """
    check_position(position)
    if n_ctx + len(frozen_context) + 4 > context_length:
        raise PromptError(
            f"{n_ctx + len(frozen_context)} text contexts do not fit: the model takes {context_length} tokens, "
            f"and start, name, full stop and end need at least 4 of them; use at most {context_length - 4}"
        )
    start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
    contexts = [-(slot + 1) for slot in range(n_ctx)]
    half = n_ctx // 2
    rows = []
    for name in class_names:
        tail = tokenizer.encode(f"{name}.")
        # '(x).' is one token run: the name is cut where the name alone would end, as CoOp does
        own = len(tokenizer.encode(name))
        word, rest = tail[:own], tail[own:]
        if position == "end":
            body = [*contexts, *frozen_context, *tail]
        elif position == "middle":
            body = [*contexts[:half], *word, *contexts[half:], *frozen_context, *rest]
        else:
            body = [*word, *contexts, *frozen_context, *rest]
        rows.append((start, *body, end))
    _check_lengths(rows, class_names, context_length)
    return TextLayout(tuple(rows), n_ctx, class_specific)


def plain_layout(tokenizer: Any, prompts: Sequence[str], context_length: int) -> TextLayout:
    """Lays out prompts without contexts.

    Raises:
        PromptError: a prompt longer than the model takes.
    """
    rows = [(tokenizer.sot_token_id, *tokenizer.encode(prompt), tokenizer.eot_token_id) for prompt in prompts]
    _check_lengths(rows, prompts, context_length)
    return TextLayout(tuple(rows), 0)


def _check_lengths(rows: Sequence[Sequence[int]], names: Sequence[str], context_length: int) -> None:
    longest = max(range(len(rows)), key=lambda k: len(rows[k]))
    over = len(rows[longest]) - context_length
    if over > 0:
        others = sum(len(row) > context_length for row in rows) - 1
        also = f", and {others} more are too long" if others else ""
        raise PromptError(
            f"The prompt of class '{names[longest]}' is {counted(over, 'token')} too long: it has "
            f"{len(rows[longest])}, the model takes {context_length}{also}; shorten the name or use fewer contexts"
        )

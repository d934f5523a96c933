"""Options of one method given to another: a mistake that nobody would notice, since the run would ignore them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mvlpt.engine.registries import TRAINER_REGISTRY
from mvlpt.errors import UnknownNameError

TEMPLATES = "ZEROSHOT"  # the section of the untuned model, with which many losses and heads compare
ROOM = "mvlpt.trainers"  # only shipped trainers say what they read


def sections_read(trainer: type[Any]) -> frozenset[str] | None:
    """The sections of ``TRAINER`` that a shipped trainer reads; ``None`` for one of a plugin, which may read any.

    They follow from ``section``, ``prompt_section``, its ``head``'s section and, for those that read more,
    ``further_sections``.
    """
    if getattr(trainer, "__module__", "").rpartition(".")[0] != ROOM:
        return None
    named = [getattr(trainer, "section", ""), getattr(trainer, "prompt_section", "")]
    named += [getattr(getattr(trainer, "head", None), "section", ""), *getattr(trainer, "further_sections", ())]
    return frozenset(name.partition(".")[0] for name in named if isinstance(name, str) and name)


def unread_option(keys: Iterable[str], trainers: Iterable[str]) -> str:
    """A sentence on the first option that belongs to other methods than those that are trained; ``""`` without one.

    Args:
        keys: of the options that somebody gave.
        trainers: names of the trainers that get them; an option may be read by any of them.
    """
    names, read = list(dict.fromkeys(trainers)), set()
    for name in names:
        try:
            sections = sections_read(TRAINER_REGISTRY.get(name))
        except UnknownNameError:  # reported where it is built
            return ""
        if sections is None:
            return ""
        read |= sections
    for key in keys:
        _, section, rest = (*key.split(".", 2), "", "")[:3]
        foreign = key.startswith("TRAINER.") and rest and section not in (*read, TEMPLATES)
        owners = _owners(section) if foreign else []
        if owners:
            own = " and ".join(f"TRAINER.{name}" for name in sorted(read))
            reads = f"reads {own}" if own else "has no options of its own"
            return (
                f"{key} is an option of {', '.join(owners)}, not of {', '.join(names)}, which {reads}; drop it, or "
                "name the trainer that it is meant for"
            )
    return ""


def _owners(section: str) -> list[str]:
    """The shipped trainers that read a section."""
    found = {name: sections_read(TRAINER_REGISTRY.get(name)) for name in TRAINER_REGISTRY.registered_names()}
    return sorted(name for name, sections in found.items() if sections and section in sections)

"""In which options runs differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mvlpt.config import OPTIONS
from mvlpt.io import clean_text
from mvlpt.report.options import as_word
from mvlpt.report.runs.record import RunRecord

LONGEST = 40  # characters of a value
# Options that tables show in columns of their own, or that follow from those.
SHOWN_ELSEWHERE = (
    *("TRAINER.NAME", "DATASET.DATASET", "DATASET.NAME", "DATASET.MULTITASK", "DATASET.NUM_SHOTS"),
    *("SEED", "DATASET.RANDOM_SEED_SAMPLING", "RUN.ARM", "RUN.GROUP", "RUN.MODE"),
)


def differing_options(runs: Sequence[RunRecord], without: Iterable[str] = SHOWN_ELSEWHERE) -> tuple[str, ...]:
    """The options in which some runs differ, in the order of the table of options.

    Args:
        runs: those that are compared; damaged ones, whose options are not known, do not count.
        without: options that are not of interest.
    """
    known = [run.options for run in runs if run.options is not None]
    left_out = set(without)
    keys = {key for options in known for key in options} - left_out
    order = {key: index for index, key in enumerate(OPTIONS)}
    differing = [key for key in keys if len({_comparable(options, key) for options in known}) > 1]
    return tuple(sorted(differing, key=lambda key: (order.get(key, len(order)), key)))


def option_words(run: RunRecord, keys: Sequence[str]) -> dict[str, str]:
    """The values of options of a run as they are written on a command line."""
    return {key: clean_text(as_word(run.option(key)), LONGEST) for key in keys}


def _comparable(options: Mapping[str, Any], key: str) -> str:
    default = OPTIONS[key].default if key in OPTIONS else ""
    value = options.get(key, default)
    return repr(list(value) if isinstance(value, tuple) else value)

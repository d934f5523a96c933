"""Errors that a user can fix: each is one sentence that names the thing, the value given, and the remedy.

Every type also subclasses the matching builtin, so that code which expects a ``ValueError`` still catches it.
The command-line tools print the sentence and exit with status 2; any other exception is a bug and shows its trace.
"""

from __future__ import annotations

import difflib
import errno
import itertools
from collections.abc import Iterable

LONGEST_NAME, MOST_OPTIONS = 200, 2000  # beyond which no near name is searched: it takes too long
# exit statuses; 12 and 28 are the system's numbers of these errors
BAD_INPUT, OUT_OF_MEMORY, DISK_FULL, INTERRUPTED = 2, errno.ENOMEM, errno.ENOSPC, 130


class MvlptError(Exception):
    """Base of all errors whose message is meant for the user.

    Attributes:
        exit_status: of a command that it ends.
    """

    exit_status = BAD_INPUT

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return str(self.args[0]) if self.args else ""


class ConfigError(MvlptError, ValueError):
    """A configuration value, key or file cannot be used."""


class UnknownNameError(MvlptError, KeyError):
    """A registry holds nothing under the requested name."""


class DataError(MvlptError, ValueError):
    """A data set, split, image or index file cannot be used."""


class MissingImageError(DataError, FileNotFoundError):
    """There is no image where one is read."""

    __str__ = Exception.__str__


class EvaluationError(DataError):
    """A task cannot be scored; the scores of the other tasks are kept."""


class LoaderWorkerError(MvlptError, RuntimeError):
    """A worker process of a data loader has died; the same command may succeed."""

    exit_status = 1


class BackboneError(MvlptError, ValueError):
    """A backbone or its weights cannot be loaded, or cannot carry the requested prompt."""


class PromptError(MvlptError, ValueError):
    """A prompt does not fit its class names, its backbone or its options."""


class CheckpointError(MvlptError, ValueError):
    """A checkpoint is missing, broken, unsafe or does not fit the model."""


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """There is no checkpoint where one is read."""

    __str__ = Exception.__str__


class RunFolderError(MvlptError, OSError):
    """An output folder or file cannot be used: it belongs to another run, or cannot be written."""


class TrainingError(MvlptError, RuntimeError):
    """Training cannot continue, for instance because the loss is not finite."""


class LossError(TrainingError, FloatingPointError):
    """A loss is not finite."""


class GraphError(MvlptError, ValueError):
    """A task graph, a similarity, a table of scores or a grouping cannot be used, or its constraints contradict."""


class LibraryError(MvlptError, ValueError):
    """A library of prompts cannot be used, or holds nothing that fits."""


class PlanError(MvlptError, ValueError):
    """A plan of jobs, or the experiment behind it, cannot be used."""


class ScheduleError(MvlptError, RuntimeError):
    """Jobs cannot be run: the folder belongs to another plan or scheduler, or the executor does not respond."""


class MissingExtraError(MvlptError, ImportError):
    """An optional library is not installed; the message names the extra that installs it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, the device's or the machine's, was not enough."""
    message = str(error)
    return type(error).__name__ in ("OutOfMemoryError", "MemoryError") or (
        isinstance(error, RuntimeError) and ("out of memory" in message or "can't allocate memory" in message)
    )


def is_out_of_files(error: BaseException | None) -> bool:
    """Whether an exception, or one of its causes, says that no more files may be open."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)) or (
            isinstance(error, RuntimeError) and "Too many open files" in str(error)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an exception, or one of its causes, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__  # "from None" hides the context, but keeps it
    return False


def suggest(name: str, options: Iterable[str], cutoff: float = 0.5) -> str:
    """Ends an error sentence: the nearest known name, or all of them when they are few.

    Args:
        name: what the user typed.
        options: the names that would have been accepted.
        cutoff: how alike the nearest must be, from 0 to 1.

    Returns:
        ``"; did you mean 'x'?"``, ``"; known: a, b"`` or ``""``.
    """
    known = sorted(set(itertools.islice(options, MOST_OPTIONS)))
    name = str(name)
    if len(name) > LONGEST_NAME or len(known) == MOST_OPTIONS:
        return ""
    lowered = {option.lower(): option for option in known}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=cutoff)
    if near:
        return f"; did you mean '{lowered[near[0]]}'?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 40 else ""

"""Worker processes of loaders: whether there can be as many, and why one has died."""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mvlpt.errors import ConfigError, LoaderWorkerError

logger = logging.getLogger(__name__)

# As torch reports it: "DataLoader worker (pid 17) is killed by signal: Killed", or "(pid(s) 17) exited unexpectedly".
_DEATH = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: ([^.]+)\.|exited)")
_FILES_PER_WORKER, _FURTHER_FILES = 4, 12  # open files: of a queue and a process; of the loader while it starts
_known: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # process ids to processes
_names: dict[int, str] = {}  # process ids to names such as "worker 1 of 2"
_warned: set[int] = set()  # numbers of workers that a warning was given for
_kills = 0  # by the kernel for lack of memory, when the last workers were started


def check_open_files(count: int) -> None:
    """Checks that this process may open the files that so many workers need; torch fails half-way, and hangs.

    Raises:
        ConfigError: it may not.
    """
    needed, opened = _FILES_PER_WORKER * count + _FURTHER_FILES, []
    try:
        for _ in range(needed):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise ConfigError(
            f"{count} loader workers need {needed} open files more, but this process may have {limit} in all; raise the"
            " limit (ulimit -n 1024), or set DATALOADER.NUM_WORKERS 0"
        ) from error
    finally:
        for number in opened:
            os.close(number)


@contextmanager
def worker_numbers_checked(count: int) -> Iterator[None]:
    """Context in which torch makes a loader or its iterator: what it says of too many workers is said once, shortly."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count > cores and count not in _warned:
        _warned.add(count)
        logger.warning(
            "DATALOADER.NUM_WORKERS is %d, but this process has %d CPU core%s; more workers than cores only wait",
            count,
            cores,
            "s" * (cores > 1),
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create", category=UserWarning)
        yield


def remember_workers(processes: Sequence[Any]) -> None:
    """Keeps what an explanation of their death needs."""
    global _kills
    _kills = _memory_kills()
    for number, process in enumerate(processes, start=1):
        _known[process.pid] = process
        _names[process.pid] = f"worker {number} of {len(processes)}"


@contextmanager
def deaths_explained() -> Iterator[None]:
    """Context in which the death of a worker is one sentence; torch raises it wherever the main thread is.

    Raises:
        LoaderWorkerError: which worker has died, why, and what to set.
    """
    try:
        yield
    except RuntimeError as error:
        found = _DEATH.search(str(error))
        if found is None:
            raise
        ident = int(re.split(r"\D+", found[1])[0])
        raise LoaderWorkerError(_explain(ident, found[2] or "")) from error


def _explain(ident: int, signal_text: str) -> str:
    """Why a worker has died, in one sentence."""
    name, number = _names.get(ident, "a worker"), _signal_number(ident, signal_text)
    who = f"The data loader's {name} (process {ident})"
    if number == signal.SIGKILL:
        short = _memory_kills() > _kills
        why = "while the system ran out of memory" if short else "as the system does when memory runs out"
        return (
            f"{who} was killed by signal 9 (SIGKILL), {why}; set a smaller DATALOADER.NUM_WORKERS or"
            " DATALOADER.CACHE_MB, or give the run more memory, and continue it with --resume"
        )
    if number == signal.SIGBUS:
        return (
            f"{who} was killed by signal {int(number)} (SIGBUS), which happens when shared memory is full; enlarge"
            " /dev/shm (docker run --shm-size), or set DATALOADER.NUM_WORKERS 0"
        )
    if number is not None:
        how = f"was killed by signal {int(number)} ({signal.Signals(number).name})"
    else:
        how = "ended by itself" + _exit_code(ident)
    return f"{who} {how}; continue with --resume, or set DATALOADER.NUM_WORKERS 0 to see what fails"


def _signal_number(ident: int, text: str) -> int | None:
    """The signal that ended a worker, by torch's name for it or by its exit code."""
    for number in signal.Signals:
        if text and signal.strsignal(number) == text.strip():
            return number
    code = getattr(_known.get(ident), "exitcode", None)
    return -code if code is not None and code < 0 else None


def _exit_code(ident: int) -> str:
    code = getattr(_known.get(ident), "exitcode", None)
    return "" if code is None else f" with status {code}"


def _memory_kills() -> int:
    """Processes that the kernel has killed for lack of memory since it was started; 0 where it does not say."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0

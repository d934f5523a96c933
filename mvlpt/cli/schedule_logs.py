"""Prints the output of a job, and follows it while it runs; what it prints cannot move the cursor."""

from __future__ import annotations

import codecs
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mvlpt.errors import ScheduleError
from mvlpt.io import clean_text, counted, open_regular
from mvlpt.schedule import OUTPUT, RESULT, Plan, attempt_folder, is_running, read_records

PIECE = 65536  # bytes
SECONDS = 0.3  # between two reads of a log that is followed
_COLOUR, _RETURN = re.compile(r"\x1b\[[0-9;]*m"), re.compile(r"\r\n?")
READS = 10  # after this many without news the journal is read, too


def print_log(plan: Plan, root: Path, name: str, *, attempt: int | None = None, follow: bool = False) -> int:
    """Writes a job's ``output.log`` to the standard output.

    Args:
        plan: the jobs.
        root: the plan's folder.
        name: the job's name or the beginning of its id.
        attempt: which one; by default the last.
        follow: continue until the attempt ends, and with the next one, where no attempt is named.

    Raises:
        PlanError: no such job.
        ScheduleError: it has not started yet, has fewer attempts, or has no log.
    """
    job = plan.find(name)
    record = read_records(root, plan)[job.id]
    number = record.attempts if attempt is None else attempt
    if not record.attempts and not follow:
        raise ScheduleError(f"'{job.name}' has not started yet, so it has no log; it is {record.state}")
    if attempt is not None and not 1 <= attempt <= record.attempts:
        tries = counted(record.attempts, "attempt")
        raise ScheduleError(f"'{job.name}' has {tries}, not attempt {attempt}; leave --attempt out for the last")
    if not follow:
        log = attempt_folder(root, job.id, number) / OUTPUT
        if not log.exists():
            raise ScheduleError(f"There is no log at {log}; the attempt printed nothing, or printed to the scheduler's")
        print_new(log, 0, last=True)
        return 0
    followed = 0  # an attempt has ended before the journal says so, and is not printed again meanwhile
    while True:
        if number > followed:
            folder = attempt_folder(root, job.id, number)
            _follow(folder, partial(_goes_on, plan, root, job.id, number))
            followed = number
        if attempt is not None:
            return 0
        record = read_records(root, plan)[job.id]
        over = record.state not in ("waiting", "running") or not is_running(root)
        if record.attempts > number:
            number = record.attempts
        elif over:
            return 0
        else:
            time.sleep(SECONDS)


def _goes_on(plan: Plan, root: Path, ident: str, number: int) -> bool:
    record = read_records(root, plan)[ident]
    return record.state == "running" and record.attempts == number and is_running(root)


def print_new(log: Path, start: int, *, last: bool) -> int:
    """Prints what a log holds beyond ``start`` bytes, with control characters escaped.

    Args:
        log: the file.
        start: bytes that were printed before.
        last: nothing more is written to it; otherwise a character of which only a part is there waits for the rest.

    Returns:
        Bytes that have been printed.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    try:
        with open_regular(log, error=ScheduleError) as handle:
            handle.seek(start)
            while piece := handle.read(PIECE):
                sys.stdout.write(_shown(decoder.decode(piece)))
                start += len(piece)
            if last:
                sys.stdout.write(_shown(decoder.decode(b"", final=True)))
    except ScheduleError:
        if log.exists():
            raise
        return start
    sys.stdout.flush()
    return start - len(decoder.getstate()[0])


def _shown(text: str) -> str:
    """Without colours, and with the returns of progress bars as ends of lines."""
    plain = _RETURN.sub("\n", _COLOUR.sub("", text))
    return clean_text(plain, len(plain) + 1, keep="\n\t")


def _follow(folder: Path, goes_on: Callable[[], bool]) -> None:
    """Prints a log until its attempt has ended."""
    end, quiet = 0, 0
    while True:
        ended = (folder / RESULT).exists()  # checked first: what was printed before the end is then in the log
        before, end = end, print_new(folder / OUTPUT, end, last=ended)
        if ended:
            return
        quiet = quiet + 1 if end == before else 0
        if quiet >= READS:
            if not goes_on():
                print_new(folder / OUTPUT, end, last=True)
                return
            quiet = 0
        time.sleep(SECONDS)

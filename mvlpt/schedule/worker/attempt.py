"""Carrying one attempt out, in whatever process: environment, output, time limit, result."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from mvlpt.errors import BAD_INPUT, DISK_FULL, INTERRUPTED, OUT_OF_MEMORY, MvlptError
from mvlpt.io import read_json, write_json
from mvlpt.runtime.interrupts import StopRequest
from mvlpt.schedule.executors.protocol import OUTPUT, RESULT, Attempt, Ended, RunCommand
from mvlpt.schedule.worker.program import Program

FAILED, TIMED_OUT = 1, 124


def carry_out(
    attempt: Attempt, run_command: RunCommand | None = None, *, capture: bool = True, may_exit: bool = True
) -> Ended:
    """Runs an attempt to its end and writes its ``result.json``.

    Call it in the main thread, where signals arrive: SIGTERM or SIGINT lets the command save its state and end, a
    second one ends it.

    Args:
        attempt: what to run.
        run_command: runs commands that begin with ``mvlpt`` inside this process (see :class:`WarmCommand`); without it
            they are programs like any other.
        capture: write what the command prints to ``output.log``, not to this process's own output.
        may_exit: this process may be ended where a command does not stop though its time is up.

    Raises:
        RunFolderError: the result cannot be written.
    """
    started = time.monotonic()
    attempt.folder.mkdir(parents=True, exist_ok=True)
    (attempt.folder / RESULT).unlink(missing_ok=True)
    inside = run_command is not None and attempt.command[:1] == ("mvlpt",)
    memory = _MainMemory()

    def finish(status: int, reason: str = "", peak_mb: float = 0.0) -> Ended:
        ended = Ended(*attempt.key, status, round(time.monotonic() - started, 3), reason, round(peak_mb, 1))
        write_result(attempt, ended)
        return ended

    def give_up() -> None:
        finish(TIMED_OUT, f"did not stop within {attempt.grace:g} s after its time limit of {attempt.time_limit:g} s")
        os.kill(os.getpid(), signal.SIGKILL)

    with ExitStack() as stack:
        if capture:
            stack.enter_context(_output_to(attempt.folder / OUTPUT))
        if inside:
            stack.enter_context(_surroundings(attempt))
            stop = stack.enter_context(StopRequest())
            limit = stack.enter_context(_TimeLimit(attempt, _signal_self, give_up if may_exit else None))
            status, reason = _run_inside(attempt, run_command)
            peak = memory.peak()
        else:
            program = Program(attempt)
            stop = stack.enter_context(_Forward(program))
            limit = stack.enter_context(_TimeLimit(attempt, program.terminate, program.kill))
            status, reason, peak = program.run()
        limit.cancel()
    if limit.reached and status != 0:
        status, reason = TIMED_OUT, f"ran over its time limit of {attempt.time_limit:g} s"
    elif status == 0:
        absent = missing_outputs(attempt)
        if absent:
            status, reason = FAILED, f"ended with status 0 but did not write {', '.join(absent)}"
    elif stop.requested or (inside and status == INTERRUPTED):  # a run inside takes the signal in our place
        status, reason = INTERRUPTED, reason or "stopped"
    return finish(status, reason or told(status), peak)


def write_result(attempt: Attempt, ended: Ended) -> None:
    """Writes ``result.json``, whole or not at all; with it the attempt has ended.

    Raises:
        RunFolderError: it cannot be written.
    """
    record = {
        "job": ended.job_id, "attempt": ended.number, "status": ended.status, "seconds": ended.seconds,
        "reason": ended.reason, "peak_mb": ended.peak_mb, "command": list(attempt.command), "ended": time.time(),
    }  # fmt: skip
    write_json(record, attempt.folder / RESULT)


def read_result(attempt: Attempt) -> Ended | None:
    """How an attempt ended, by its ``result.json``; None where it has not, or the file is not of this attempt."""
    try:
        record = read_json(attempt.folder / RESULT)
        ended = Ended(
            record["job"], int(record["attempt"]), int(record["status"]), float(record["seconds"]),
            str(record["reason"]), float(record["peak_mb"]),
        )  # fmt: skip
    except (MvlptError, KeyError, TypeError, ValueError):
        return None
    return ended if (ended.job_id, ended.number) == attempt.key else None


def missing_outputs(attempt: Attempt) -> list[str]:
    """The job's outputs that are not there."""
    return [path for path in attempt.job.outputs if not (attempt.root / path).exists()]


class WarmCommand:
    """Runs commands of ``mvlpt`` in this process, which keeps backbones and image features from one to the next.

    Args:
        main: ``mvlpt.cli.main``.
    """

    def __init__(self, main: Callable[[list[str]], int | None]) -> None:
        self._main = main
        self._resources: Any = None

    def __call__(self, arguments: Sequence[str]) -> int:
        from mvlpt.engine.resources import Resources, shared_resources  # imports torch

        first = self._resources is None
        if first:
            self._resources = Resources()
        try:
            with shared_resources(self._resources):
                return self._main(list(arguments)) or 0
        finally:
            if first:  # libraries and backbones stay: without this, looking through them takes 0.1 s after every job
                gc.collect()
                gc.freeze()


def _run_inside(attempt: Attempt, run_command: RunCommand) -> tuple[int, str]:
    """Status and reason of a command run in this process."""
    try:
        return int(run_command(list(attempt.command[1:])) or 0), ""
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0, ""
        print(error.code, file=sys.stderr)
        return FAILED, ""
    except KeyboardInterrupt:
        return INTERRUPTED, "stopped at once"
    except BaseException as error:
        import traceback

        traceback.print_exc()
        return FAILED, f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        gc.collect()


def told(status: int) -> str:
    """What an exit status says by itself."""
    if status == 0:
        return ""
    if status < 0:
        with suppress(ValueError):
            return f"ended by signal {-status} ({signal.Signals(-status).name})"
    known = {
        BAD_INPUT: "bad input",
        OUT_OF_MEMORY: "out of memory",
        DISK_FULL: "no space left",
        INTERRUPTED: "interrupted",
    }
    return f"ended with status {status}" + (f", {known[status]}" if status in known else "")


def _signal_self() -> None:
    """As if the process had been sent SIGTERM; a signal to the main thread also ends a system call there."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)


class _TimeLimit:
    """Context that stops an attempt gently when its time is up, again after its grace, and then for good."""

    def __init__(self, attempt: Attempt, gently: Callable[[], None], finally_: Callable[[], None] | None) -> None:
        self.reached = False
        self._ended = threading.Event()
        self._attempt, self._gently, self._finally = attempt, gently, finally_
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _TimeLimit:
        if self._attempt.time_limit is not None:
            self._thread.start()
        return self

    def cancel(self) -> None:
        """The command has ended."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _watch(self) -> None:
        if self._ended.wait(self._attempt.time_limit):
            return
        self.reached = True
        self._gently()
        if self._ended.wait(self._attempt.grace) or self._finally is None:
            return
        self._finally()


class _Forward:
    """Context in which SIGTERM and SIGINT go to a program: the first as SIGTERM, the second as SIGKILL."""

    def __init__(self, program: Program) -> None:
        self.requested = False
        self._program = program
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> _Forward:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        (self._program.kill if self.requested else self._program.terminate)()
        self.requested = True


@contextmanager
def _surroundings(attempt: Attempt) -> Iterator[None]:
    """Folder, environment and ``sys.argv`` of a command that runs in this process; all put back afterwards."""
    folder, arguments = os.getcwd(), sys.argv
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in attempt.environment}
    os.chdir(attempt.cwd or attempt.root)
    os.environ.update(attempt.environment)
    sys.argv = list(attempt.command)
    try:
        yield
    finally:
        os.chdir(folder)
        sys.argv = arguments
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Sends what this process and its children print to a file, after what it holds."""
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    kept = [os.dup(number) for number in (1, 2)]
    _flush()
    try:
        for number in (1, 2):
            os.dup2(target, number)
        with ExitStack() as stack:  # where Python prints elsewhere, as in a notebook
            for number, stream, redirect in ((1, sys.stdout, redirect_stdout), (2, sys.stderr, redirect_stderr)):
                if not _prints_to(stream, number):
                    stack.enter_context(
                        redirect(stack.enter_context(open(number, "w", buffering=1, encoding="utf-8", closefd=False)))
                    )
            yield
    finally:
        _flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(target)


def _prints_to(stream: Any, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError, AttributeError):
        return False


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


class _MainMemory:
    """Peak memory of this process from now on: of its GPUs if it uses any, else of main memory as Linux counts it."""

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew
        if self._on_gpu():
            sys.modules["torch"].cuda.reset_peak_memory_stats()

    def peak(self) -> float:
        """MiB; 0 if unknown."""
        if self._on_gpu():
            return sys.modules["torch"].cuda.max_memory_reserved() / 2**20
        with suppress(OSError, ValueError, IndexError):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    @staticmethod
    def _on_gpu() -> bool:
        torch = sys.modules.get("torch")
        return torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()

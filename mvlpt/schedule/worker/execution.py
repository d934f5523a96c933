"""Running one attempt, in whatever process: environment, output, time limit, result."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from contextlib import ExitStack

from mvlpt.errors import BAD_INPUT, INTERRUPTED
from mvlpt.runtime import StopRequest
from mvlpt.schedule.attempts import (
    FAILED,
    OUTPUT,
    RESULT,
    TIMED_OUT,
    Attempt,
    AttemptResult,
    RunCommand,
    describe_exit_status,
    missing_outputs,
    write_result,
)
from mvlpt.schedule.worker.memory import PeakMemory
from mvlpt.schedule.worker.process_state import command_environment, output_to
from mvlpt.schedule.worker.program import Program
from mvlpt.schedule.worker.stopping import ForwardSignals, TimeLimit, terminate_self


def run_attempt(
    attempt: Attempt, run_command: RunCommand | None = None, *, capture: bool = True, may_exit: bool = True
) -> AttemptResult:
    """Runs an attempt to its end and writes its ``result.json``.

    Call it in the main thread, where signals arrive: SIGTERM or SIGINT lets the command save its state and end, a
    second one ends it.

    Args:
        attempt: what to run.
        run_command: runs commands that begin with ``mvlpt`` inside this process; without it they are programs like any
            other.
        capture: write what the command prints to ``output.log``, not to this process's own output.
        may_exit: this process may be ended where a command does not stop though its time is up.

    Raises:
        RunFolderError: the result cannot be written.
    """
    started = time.monotonic()
    attempt.folder.mkdir(parents=True, exist_ok=True)
    (attempt.folder / RESULT).unlink(missing_ok=True)
    inside = run_command is not None and attempt.command[:1] == ("mvlpt",)
    memory = PeakMemory()

    def finish(status: int, reason: str = "", peak_mb: float = 0.0) -> AttemptResult:
        seconds = round(time.monotonic() - started, 3)
        result = AttemptResult(*attempt.key, status, seconds, reason, round(peak_mb, 1))
        write_result(attempt, result)
        return result

    def give_up() -> None:
        finish(TIMED_OUT, f"did not stop within {attempt.grace:g} s after its time limit of {attempt.time_limit:g} s")
        os.kill(os.getpid(), signal.SIGKILL)

    if not attempt.working_folder.is_dir():
        return finish(BAD_INPUT, f"the folder in which it is to run, {attempt.working_folder}, does not exist")
    with ExitStack() as stack:
        if capture:
            stack.enter_context(output_to(attempt.folder / OUTPUT))
        if inside:
            stack.enter_context(command_environment(attempt))
            stop = stack.enter_context(StopRequest())
            limit = stack.enter_context(TimeLimit(attempt, terminate_self, give_up if may_exit else None))
            status, reason = _run_inside(attempt, run_command)
            peak = memory.mb()
        else:
            program = Program(attempt)
            stop = stack.enter_context(ForwardSignals(program))
            limit = stack.enter_context(TimeLimit(attempt, program.terminate, program.kill))
            status, reason, peak = program.run()
        limit.cancel()
    if limit.reached and status != 0:
        status, reason = TIMED_OUT, f"ran over its time limit of {attempt.time_limit:g} s"
    elif status == 0:
        absent = missing_outputs(attempt)
        if absent:
            status, reason = FAILED, f"ended with status 0 but did not write {', '.join(absent)}"
    elif stop.requested or (inside and status == INTERRUPTED):  # a command inside has taken the signal
        status, reason = INTERRUPTED, reason or "stopped"
    return finish(status, reason or describe_exit_status(status), peak)


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
    except BaseException as error:  # whatever the job raises is the job's failure, not the worker's
        traceback.print_exc()
        return FAILED, f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        gc.collect()

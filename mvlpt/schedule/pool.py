"""Runs of an experiment in a pool of processes; each process keeps its backbone and features from run to run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from mvlpt.engine.interrupts import Interrupted, StopRequest
from mvlpt.engine.log import setup_logging
from mvlpt.engine.registries import load_entry_points, load_shipped
from mvlpt.engine.resources import Resources, shared_resources
from mvlpt.engine.run import run
from mvlpt.schedule.experiment import RunSpec

_resources: Resources | None = None  # of this worker process
_stop = StopRequest()  # of this worker process: set once the pool is told to stop


def run_specs(
    specs: Sequence[RunSpec],
    root: Path,
    workers: int = 0,
    done: Callable[[RunSpec, list[dict[str, Any]]], None] | None = None,
) -> list[dict[str, Any]]:
    """Runs every spec, skipping those whose folder holds it finished; returns all result rows.

    Args:
        specs: the runs, in the order in which to start them.
        root: the experiment's folder.
        workers: processes; 0 takes one per CPU core that this process may use, 1 runs in this process.
        done: called after each run, in the order in which they end.

    Raises:
        MvlptError: a run cannot be carried out; runs that have not begun are dropped.
        Interrupted: the user asked to stop; finished runs are kept and the rest goes on next time.
    """
    workers = min(workers or len(os.sched_getaffinity(0)), len(specs)) or 1
    rows: list[dict[str, Any]] = []
    if workers == 1:
        load_shipped()
        load_entry_points()
        with shared_resources():
            for spec in specs:
                rows += _finish(spec, run(spec.config(root)).rows, done)
        return rows
    context = multiprocessing.get_context("spawn")  # forked children would inherit torch's threads half alive
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        futures = {pool.submit(_run_one, spec, root): spec for spec in specs}
        try:
            for future in as_completed(futures):
                rows += _finish(futures[future], future.result(), done)
        except KeyboardInterrupt:
            _stop_workers(pool)
            raise Interrupted("Stopped; finished runs are kept") from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return rows


def _stop_workers(pool: ProcessPoolExecutor) -> None:
    """Lets the runs under way save their state; a second Ctrl-C does not wait for that."""
    children = multiprocessing.active_children()
    try:
        for child in children:
            child.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
    except KeyboardInterrupt:
        for child in children:
            child.kill()
        raise


def _finish(
    spec: RunSpec, rows: list[dict[str, Any]], done: Callable[[RunSpec, list[dict[str, Any]]], None] | None
) -> list[dict[str, Any]]:
    if done is not None:
        done(spec, rows)
    return rows


def _start_worker() -> None:
    """Prepares a worker: it obeys the pool, not the terminal, and does not outlive it."""
    global _resources
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stop.__enter__()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    setup_logging(verbose=False)
    load_shipped()
    load_entry_points()
    _resources = Resources()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_one(spec: RunSpec, root: Path) -> list[dict[str, Any]]:
    if _stop.requested:
        raise Interrupted("Stopped before it began")
    try:
        with shared_resources(_resources):
            return run(spec.config(root)).rows
    except Interrupted:
        _stop.requested = True
        raise

"""Runs of an experiment in a pool of processes; each process keeps its backbone and features from run to run."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from mvlpt.engine.interrupts import Interrupted
from mvlpt.engine.log import setup_logging
from mvlpt.engine.registries import load_entry_points, load_shipped
from mvlpt.engine.resources import Resources, shared_resources
from mvlpt.engine.run import run
from mvlpt.schedule.experiment import RunSpec

_resources: Resources | None = None  # of this worker process


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
        except BaseException as error:
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted("Stopped; finished runs are kept") from None
            raise
    return rows


def _finish(
    spec: RunSpec, rows: list[dict[str, Any]], done: Callable[[RunSpec, list[dict[str, Any]]], None] | None
) -> list[dict[str, Any]]:
    if done is not None:
        done(spec, rows)
    return rows


def _start_worker() -> None:
    global _resources
    setup_logging(verbose=False)
    load_shipped()
    load_entry_points()
    _resources = Resources()


def _run_one(spec: RunSpec, root: Path) -> list[dict[str, Any]]:
    with shared_resources(_resources):
        return run(spec.config(root)).rows

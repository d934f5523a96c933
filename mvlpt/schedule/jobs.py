"""Jobs and plans: what to run, in which order, and where its results go."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from mvlpt.errors import PlanError

KINDS = ("features", "train", "average", "adapt", "evaluate", "report", "command")


@dataclass(frozen=True)
class Job:
    """One piece of work, done by one command.

    Attributes:
        id: 12 hexadecimal digits, the hash of what determines the result; see :func:`job_id`.
        kind: one of :data:`KINDS`; ``command`` is any program of a plan written by hand.
        name: readable and unique in its plan, such as ``MVLPT-VPT/grouped/1shot/seed1/g2``; also the job's folder below
            the experiment's.
        command: the argument vector. One that begins with ``mvlpt`` may run inside a worker process that stays warm.
        needs: ids of the jobs that must have finished first.
        inputs: files and folders that the job reads, relative to the experiment's folder.
        outputs: files that exist once the job has finished, relative to the experiment's folder.
        seconds: estimated running time on one slot.
        memory_mb: estimated peak of device memory (of main memory without a GPU), MiB.
        labels: what tables show and group by (trainer, arm, group, tasks, shots, seed, ...).
    """

    id: str
    kind: str
    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    seconds: float = 1.0
    memory_mb: float = 0.0
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shell(self) -> str:
        """The command as a person would paste it."""
        return shlex.join(self.command)


def job_id(content: Any) -> str:
    """12 hexadecimal digits of the SHA-256 of ``content`` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Plan:
    """Jobs in an order in which each comes after those it needs.

    Args:
        jobs: in any order.
        metadata: what the plan is for (experiment file, groups, ...), kept in ``plan.json``.

    Raises:
        PlanError: two jobs share an id or a name, one needs a job that does not exist, or they need each other in a
            cycle.
    """

    def __init__(self, jobs: Sequence[Job], metadata: Mapping[str, Any] | None = None) -> None:
        self.metadata = dict(metadata or {})
        by_id: dict[str, Job] = {}
        names: dict[str, str] = {}
        for job in jobs:
            if job.id in by_id:
                raise PlanError(f"The plan holds job {job.id} twice: '{by_id[job.id].name}' and '{job.name}'")
            if job.name in names:
                raise PlanError(f"The plan gives the name '{job.name}' to two jobs, {names[job.name]} and {job.id}")
            by_id[job.id], names[job.name] = job, job.id
        graph = nx.DiGraph()
        graph.add_nodes_from(by_id)
        for job in jobs:
            for need in job.needs:
                if need not in by_id:
                    raise PlanError(f"Job '{job.name}' needs job {need}, which the plan does not hold")
                graph.add_edge(need, job.id)
        try:
            order = list(nx.topological_sort(graph))
        except nx.NetworkXUnfeasible:
            cycle = " -> ".join(by_id[edge[0]].name for edge in nx.find_cycle(graph))
            raise PlanError(f"Jobs need each other in a cycle: {cycle}") from None
        self._jobs = {ident: by_id[ident] for ident in order}
        self._graph = graph

    @property
    def graph(self) -> nx.DiGraph:
        """Job ids; an arrow leads from a job to each that needs it. A view that must not be changed."""
        return nx.freeze(self._graph)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, ident: str) -> Job:
        return self._jobs[ident]

    def __contains__(self, ident: object) -> bool:
        return ident in self._jobs

    def find(self, name: str) -> Job:
        """The job with this name, this id, or the only one whose id begins so.

        Raises:
            PlanError: none, or several.
        """
        hits = [job for job in self if job.name == name] or [job for job in self if job.id == name]
        hits = hits or [job for job in self if job.id.startswith(name)]
        if len(hits) != 1:
            raise PlanError(
                f"'{name}' is the beginning of {len(hits)} job ids ({', '.join(job.id for job in hits[:5])}, ...)"
                if hits
                else f"The plan holds no job '{name}'; give an id or a name that `status` shows"
            )
        return hits[0]

    def dependants(self, ident: str) -> set[str]:
        """Ids of all jobs that need this one, directly or through others."""
        return nx.descendants(self._graph, ident)

"""Folders of experiments as they are after a run, written without one: plan, journal, results, epochs, evaluations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mvlpt.engine.class_results import ClassResults, Mistake, write_evaluation
from mvlpt.engine.epoch_log import METRICS_FIELDS, TASK_METRICS_FIELDS
from mvlpt.graph import TaskGraph, group_tasks, write_groups
from mvlpt.schedule import Job, Plan, job_id, save_plan
from mvlpt.schedule.journal import Journal

ARMS = ("single", "all", "grouped")


@dataclass
class FakeExperiment:
    """What a fake experiment consists of.

    Attributes:
        root: its folder.
        tasks: names.
        trainers: names.
        seeds: how many.
        classes: names of the classes of every task.
        epochs: of every run.
        failed: parts of names of jobs that fail.
        missing: parts of names of jobs that have not run.
        validated: whether validation images were scored.
    """

    root: Path
    tasks: Sequence[str] = ("pets", "cars", "flowers", "birds", "planes")
    trainers: Sequence[str] = ("MVLPT-VPT", "MVLPT-CoOp")
    seeds: int = 2
    classes: Sequence[str] = ("one", "two", "three")
    epochs: int = 5
    failed: Sequence[str] = ()
    missing: Sequence[str] = ()
    validated: bool = True

    def write(self) -> Path:
        """Writes everything; returns the folder."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.rng = np.random.default_rng(0)
        self.images = self._write_images()
        self.groups = self._write_graph()
        plan = Plan(list(self._jobs()), {"experiment": "demo.yaml", "root": str(self.root)})
        save_plan(plan, self.root / "plan.json")
        now = [1_700_000_000.0]
        journal = Journal(self.root, clock=lambda: now[0])
        for number, job in enumerate(plan):
            if any(part in job.name for part in self.missing):
                continue
            journal.add("started", job=job.id, attempt=1, slot=f"cpu{number % 2}", micro_batches=1)
            failed = any(part in job.name for part in self.failed)
            now[0] += 0.6 * job.seconds
            state = (
                {"state": "failed", "status": 2, "reason": "bad input"}
                if failed
                else {"state": "finished", "status": 0, "reason": ""}
            )
            rest = {"seconds": 1.0, "peak_mb": 0.0, "failures": 0, "micro_batches": 1, "retry_at": 0.0}
            journal.add("ended", job=job.id, attempt=1, **state, **rest)
            if failed:
                folder = self.root / "jobs" / job.id / "1"
                folder.mkdir(parents=True)
                (folder / "output.log").write_text("loading\nerror: the weights <b>are</b> missing\n")
            else:
                self._write_run(job)
        journal.close()
        return self.root

    def _write_images(self) -> list[str]:
        paths = []
        for number in range(4):
            path = self.root / "images" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(self.rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
            paths.append(str(path))
        return paths

    def _write_graph(self) -> dict[str, list[str]]:
        points = self.rng.random((len(self.tasks), 2))
        matrix = np.exp(-np.linalg.norm(points[:, None] - points[None], axis=-1))
        graph = TaskGraph(
            self.tasks, {"visual": matrix}, attributes={t: {"classes": len(self.classes)} for t in self.tasks}
        )
        (self.root / "graph").mkdir()
        graph.save(self.root / "graph" / "task_graph.json")
        grouping = group_tasks(matrix, self.tasks, groups=2, kind="similarity")
        write_groups(grouping, self.root / "graph" / "groups.yaml")
        return {name: list(group) for name, group in zip(grouping.names, grouping.groups, strict=True)}

    def _jobs(self):
        for task in self.tasks:
            yield self._job(
                "ZeroshotCLIP",
                "zero_shot",
                0,
                [task],
                f"ZeroshotCLIP/zero_shot/{len(self.tasks)}-{self.tasks.index(task)}",
                0,
            )
        for trainer in self.trainers:
            for seed in range(1, self.seeds + 1):
                for index, task in enumerate(self.tasks):
                    yield self._job(trainer, "single", seed, [task], f"{trainer}/single/seed{seed}/task{index}")
                yield self._job(trainer, "all", seed, list(self.tasks), f"{trainer}/all/seed{seed}")
                for name, members in self.groups.items():
                    yield self._job(
                        trainer, "grouped", seed, members, f"{trainer}/grouped/seed{seed}/{name}", group=name
                    )

    def _job(self, trainer, arm, seed, tasks, name, shots=1, group=""):
        labels = {"trainer": trainer, "arm": arm, "seed": seed, "tasks": tasks, "shots": shots, "group": group}
        kind = "evaluate" if arm == "zero_shot" else "train"
        command = ("mvlpt", "train", "--dataset", ",".join(tasks), "--output-dir", str(self.root / name))
        return Job(job_id([name]), kind, name, command, seconds=float(len(tasks)), labels=labels)

    def _write_run(self, job: Job) -> None:
        folder, labels = self.root / job.name, job.labels
        folder.mkdir(parents=True)
        count, base = len(self.classes), {"zero_shot": 0.4, "single": 0.5, "all": 0.6, "grouped": 0.65}[labels["arm"]]
        rows, results = [], []
        for task in labels["tasks"]:
            share = base + 0.1 * self.rng.random()
            chances = np.full((count, count), (1 - share) / max(1, count - 1))
            np.fill_diagonal(chances, share if count > 1 else 1.0)
            counts = np.stack([self.rng.multinomial(12, row) for row in chances])
            value = 100 * np.trace(counts) / counts.sum()
            mistakes = tuple(Mistake(image, 0, count - 1, 0.9) for image in self.images) if count > 1 else ()
            results.append(ClassResults(task, "accuracy", value, tuple(self.classes), counts, mistakes))
            rows.append(
                {
                    "run": job.id, "trainer": labels["trainer"], "arm": labels["arm"], "group": labels["group"],
                    "task": task, "split": "test", "metric": "accuracy", "value": value, "higher_is_better": True,
                    "shots": labels["shots"], "seed": labels["seed"], "epoch": self.epochs, "n": int(counts.sum()),
                }
            )  # fmt: skip
        (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        write_evaluation(results, folder, "test", self.epochs)
        versions = {"mvlpt": "0.2.0", "torch": "2.6"}
        record = {"format": 1, "state": "finished", "command": list(job.command), "versions": versions, "seconds": 3.0}
        (folder / "run.json").write_text(json.dumps({**record, "device": "cpu", "threads": 1}))
        (folder / "config.yaml").write_text(f"TRAINER:\n  NAME: {labels['trainer']}\nSEED: {labels['seed']}\n")
        if labels["arm"] != "zero_shot":
            self._write_epochs(folder, labels["tasks"])

    def _write_epochs(self, folder: Path, tasks: Sequence[str]) -> None:
        lines, task_lines = [",".join(METRICS_FIELDS)], [",".join(TASK_METRICS_FIELDS)]
        for epoch in range(1, self.epochs + 1):
            val = f"{50 + 3 * epoch}" if self.validated else ""
            lines.append(f"{epoch},{3 / epoch},{40 + 5 * epoch},{val},0.01,100,{epoch}")
            task_lines += [
                f'{epoch},"{task}",{3 / epoch},{40 + 5 * epoch},{val}'
                for task in (name.replace('"', '""') for name in tasks)
            ]
        (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
        if len(tasks) > 1:
            (folder / "task_metrics.csv").write_text("\n".join(task_lines) + "\n")

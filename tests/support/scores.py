"""Rows of results.jsonl for tests of tables."""

import json

FIXED = {"group": "", "split": "test", "metric": "accuracy", "higher_is_better": True, "epoch": 30, "n": 50}


def row(task, value, seed=1, arm="single", trainer="MVLPT-VPT", shots=1, **fields):
    """One score; zero-shot takes no shots."""
    shots = 0 if arm == "zero_shot" else shots
    run = fields.pop("run", f"{trainer}-{arm}-{shots}-{seed}-{task}")
    kind = {"run": run, "trainer": trainer, "arm": arm, "task": task, "value": value, "shots": shots, "seed": seed}
    return {**FIXED, **kind, **fields}


def zero_shot(task, value, **fields):
    """The score of a frozen model."""
    return row(task, value, arm="zero_shot", trainer="ZeroshotCLIP", **fields)


def write_run(folder, rows):
    """A run's own folder with these results; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text("{}")
    (folder / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder / "results.jsonl"

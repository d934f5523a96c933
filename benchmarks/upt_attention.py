"""What it changes that the unified prompt's transformer attends over all prompts.

    python benchmarks/upt_attention.py            # the numbers of docs/models.md; some 15 minutes on a core
    python benchmarks/upt_attention.py --quick    # three tasks, one seed, few epochs

The paper's code attends over sequences of length one, so that text and visual prompts never attend to each other
(``TRAINER.LEGACY``).
Both forms of MVLPT-UPT are tuned on the embedded tasks, alone and together, all else equal: one joint label space, in
which the paper's masking plays no part, and ``DATASET.COOP``, under which its training loaders play none. Gain =
ours - theirs in points of test accuracy, as mean over tasks ± standard deviation over seeds. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mvlpt.config import find_config, get_cfg_default
from mvlpt.engine import load_shipped, run_config, shared_resources
from mvlpt.experiment import load_experiment
from mvlpt.runtime import counting, setup_logging

CONFIG = "configs/trainers/MVLPT-UPT/embedded.yaml"
ARMS = {"alone": {}, "together": {"DATALOADER.TASK_BATCHES": "single"}}


def accuracy(tasks: tuple[str, ...], seed: int, legacy: bool, folder: Path, options: dict) -> float:
    """Test score of one run, percent, mean over its tasks."""
    cfg = get_cfg_default()
    cfg.merge_from_file(find_config(CONFIG))
    options = {
        "DATASET.DATASET": ",".join(tasks),
        "DATASET.NUM_SHOTS": 1,
        "DATASET.COOP": True,
        "SEED": seed,
        "TRAINER.LEGACY": legacy,
        "VERBOSE": False,
        "RUN.TENSORBOARD": False,
        "RUN.THREADS": 1,
        "OUTPUT_DIR": str(folder),
        **options,
    }
    cfg.merge_from_list([word for pair in options.items() for word in pair])
    cfg.freeze()
    return statistics.fmean(row["value"] for row in run_config(cfg).rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three tasks, one seed, few epochs")
    args = parser.parse_args()
    setup_logging(verbose=False)
    load_shipped()
    tasks = load_experiment("configs/experiments/demo.yaml").tasks
    tasks, seeds, options = (tasks[:3], (1,), {"OPTIM.MAX_EPOCH": 3}) if args.quick else (tasks, (1, 2, 3), {})
    scores: dict[tuple[str, bool], list[float]] = {}  # a number for each seed
    total = len(seeds) * 2 * (len(tasks) + 1)
    done = 0
    with tempfile.TemporaryDirectory() as scratch, shared_resources(), counting("runs") as progress:
        for seed in seeds:
            for legacy in (False, True):
                for arm, own in ARMS.items():
                    sets = [(task,) for task in tasks] if arm == "alone" else [tasks]
                    values = []
                    for place, names in enumerate(sets):
                        folder = Path(scratch) / arm / str(legacy) / str(seed) / str(place)
                        values.append(accuracy(names, seed, legacy, folder, {**own, **options}))
                        done += 1
                        progress(done, total)
                    scores.setdefault((arm, legacy), []).append(statistics.fmean(values))
    print(f"MVLPT-UPT, {len(tasks)} embedded tasks, 1 shot, seeds {', '.join(map(str, seeds))}: test accuracy %")
    print(f"{'arm':<10}{'attends over all':>18}{'length one':>18}{'gain':>16}")
    gains = {}
    for arm in ARMS:
        ours, theirs = scores[arm, False], scores[arm, True]
        gains[arm] = [a - b for a, b in zip(ours, theirs, strict=True)]
        print(f"{arm:<10}{spread(ours):>18}{spread(theirs):>18}{spread(gains[arm]):>16}")
    print(json.dumps({f"gain_{arm}": round(statistics.fmean(values), 2) for arm, values in gains.items()}))


def spread(values: list[float]) -> str:
    """Mean ± standard deviation."""
    sd = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{sd}"


if __name__ == "__main__":
    main()

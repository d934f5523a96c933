"""Options of the run itself: the root of the tree, ``TRAIN``, ``TEST`` and ``RUN``."""

from __future__ import annotations

from mvlpt.arms import ARMS
from mvlpt.config.options.option import Section

ROOT = Section()
add = ROOT.add
add("VERSION", 1, "version of the configuration, as in Dassl")
add("OUTPUT_DIR", "./output", "the run's folder", affects_results=False)
add("RESUME", "", "folder of the run to go on with", affects_results=False)
add("SEED", -1, "seed of sample, prompt and order; negative: the tools draw one and record it")
add("USE_CUDA", True, "use a GPU where there is one", affects_results=False)
add("VERBOSE", True, "report progress", affects_results=False)

TRAIN = Section("TRAIN")
add = TRAIN.add
add("CHECKPOINT_FREQ", 0, "epochs between checkpoints; 0 or below: only the last one", affects_results=False)
add("PRINT_FREQ", 10, "steps between log lines", affects_results=False)
add(
    "COUNT_ITER",
    "train_x",
    "for trainers with unlabelled images: what an epoch is a pass over",
    choices=("train_x", "train_u", "smaller_one"),
)

TEST = Section("TEST")
add = TEST.add
add("EVALUATOR", "Classification", "a registered evaluator")
add(
    "PER_CLASS_RESULT",
    False,
    "show the accuracy of each class, and draw it as classes_TASK.png in the run's folder",
    affects_results=False,
    pinned=True,
)
add(
    "COMPUTE_CMAT",
    False,
    "show the confusion matrix, and write it as confusion_TASK.csv and .png, of one task also as Dassl's cmat.pt",
    affects_results=False,
    pinned=True,
)
add("NO_TEST", False, "skip evaluation after training")
add("SPLIT", "test", "the split that is evaluated after training", choices=("val", "test"))
add("FINAL_MODEL", "last_step", "which epoch is evaluated", choices=("last_step", "best_val"))
add(
    "PREDICTIONS",
    False,
    "write the probabilities of the test images to OUTPUT_DIR/predictions",
    affects_results=False,
    pinned=True,
    ours=True,
)

RUN = Section("RUN")
add = RUN.add
add(
    "ARM",
    "",
    "the run's arm in tables of results; empty: derived from the trainer and the tasks",
    choices=("", *(arm.name for arm in ARMS.values() if arm.in_results)),
    ours=True,
)
add("GROUP", "", "name of the task group, as in groups.yaml", ours=True)
add("INIT_FROM", "", "folder of the run whose prompt this one starts from (--model-dir)", ours=True)
add("INIT_EPOCH", 0, "which of its checkpoints; 0: the best, or else the last (--load-epoch)", minimum=0, ours=True)
add(
    "START_SHARE",
    0.0,
    "share of the prompt that the run starts from in the final one, a weighted mean of both (WiSE-FT)",
    minimum=0,
    maximum=1,
    ours=True,
    since="0.2.0",
)
add(
    "FORCE",
    False,
    "load a prompt even if it belongs to other classes or another backbone (--force)",
    affects_results=False,
    since="0.2.0",
    ours=True,
)
add(
    "SAVE_EVERY",
    60.0,
    "seconds between saves of the state that --resume reads",
    minimum=0,
    affects_results=False,
    ours=True,
)
add("TENSORBOARD", True, "write scalars for TensorBoard, where it is installed", affects_results=False, ours=True)
add(
    "LOGGER",
    ("tensorboard", "csv"),
    "what records the run (--logger): tensorboard, csv (always written), wandb, mlflow, or a plugin's",
    affects_results=False,
    since="0.2.0",
    ours=True,
)
add(
    "THREADS",
    0,
    "CPU threads of torch; 0 leaves torch's own choice",
    minimum=0,
    maximum=1024,
    affects_results=False,
    ours=True,
)
add(
    "MICRO_BATCHES",
    1,
    "parts in which a batch is computed where memory is short; the same result up to rounding",
    minimum=1,
    affects_results=False,
    ours=True,
)
add(
    "MODE",
    "train",
    "train; eval (--eval-only); build (--no-train); features (mvlpt features)",
    choices=("train", "eval", "build", "features"),
    ours=True,
)

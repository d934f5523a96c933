"""``mvlpt features``: encode the images of tasks once, for all runs that leave the image tower as it is."""

from __future__ import annotations

from pathlib import Path

from mvlpt.cli.common import exit_status, program_name, show
from mvlpt.cli.train import build_parser, setup_cfg
from mvlpt.config import task_names
from mvlpt.errors import RunFolderError
from mvlpt.io import read_json, take_field
from mvlpt.runtime import setup_logging

EXAMPLES = """\
example:
  mvlpt features --config-file configs/trainers/MVLPT-CoOp/embedded.yaml --dataset weather-plain,tools-plain \\
      --shots 1 --seed 1 --output-dir output/features

Runs with the same images, backbone and transform that are given DATALOADER.FEATURE_DIR output/features read them and
encode nothing. All options of `mvlpt train` are accepted; those that say where images come from and how they are
transformed matter. Trainers with visual prompts have no use for it.
"""


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    parser = build_parser()
    parser.prog, parser.epilog = program_name("features"), EXAMPLES
    parser.description = "Encode the images of tasks with the frozen backbone and keep the features on disk."
    args = parser.parse_args(argv)
    args.opts = [*args.opts, "RUN.MODE", "features"]
    args.output_dir = args.output_dir or str(Path("output", "features"))
    from mvlpt.engine import FEATURES_FILE, run_config

    cfg = setup_cfg(args)
    if not cfg.DATALOADER.FEATURE_DIR:
        cfg.defrost()
        cfg.DATALOADER.FEATURE_DIR = cfg.OUTPUT_DIR
        cfg.freeze()
    setup_logging(cfg.VERBOSE)
    folder = run_config(cfg).folder
    where = folder / FEATURES_FILE
    images = take_field(read_json(where), "images", dict, where, error=RunFolderError)
    if not all(isinstance(count, int) for count in images.values()):
        raise RunFolderError(f"{where} does not count images; delete it and run the same command again")
    counts = ", ".join(f"{count:,} {split}" for split, count in images.items())
    show(f"features of {counts} images of {', '.join(task_names(cfg))} are in {cfg.DATALOADER.FEATURE_DIR}")
    return 0

"""``mvlpt predict``: labels and probabilities of images by a tuned prompt or a run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, NamedTuple

from mvlpt.cli.common import command_parser, exit_status, names_of_classes, output_width
from mvlpt.cli.prediction_formats import FORMATS, Prediction, writer_of
from mvlpt.errors import ConfigError, DataError
from mvlpt.io import atomic_write, sentence
from mvlpt.runtime import counting, setup_logging

if TYPE_CHECKING:
    from mvlpt.inference import Classifier

SOME_UNREADABLE = 1
EXAMPLES = """\
examples:
  mvlpt predict output/alone photo.jpg                       # the best five classes of one image
  mvlpt predict output/alone photos/ --format csv --out labels.csv
  find photos -name '*.jpg' | mvlpt predict output/alone - --top-k 1 --format jsonl
  mvlpt predict output/shared photos/ --task weather-dark    # one of the tasks that share the prompt
  mvlpt predict prompt.safetensors photos/ --classes "a red door,a blue door"

Images are prepared as the run prepared its test images. Probabilities are the softmax of the logits at CLIP's own
temperature, over the classes of the task or over --classes; they are not calibrated.
Exit status: 0 done, 1 some images could not be read, 2 bad input, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("predict", "Classify images by a tuned prompt or by any trained run.", EXAMPLES)
    add = parser.add_argument
    add("source", metavar="RUN_OR_PROMPT", help="a run's folder, a prompt.safetensors, or a checkpoint of a run")
    add("images", nargs="+", metavar="IMAGE|FOLDER|-", help="image files, folders, zip files; - reads paths from stdin")
    add("--task", metavar="NAME", help="the task to classify for, where several share the prompt")
    add("--classes", metavar="A,B,C", help="new classes instead, for prompts that classes share")
    add("--top-k", type=int, default=5, metavar="K", help="classes to list for each image (default: %(default)s)")
    add("--format", choices=FORMATS, default="table", help="default: %(default)s")
    add("--out", metavar="FILE", help="write there instead of the standard output; whole or not at all")
    add("--batch-size", type=int, default=64, metavar="N", help="images in a pass of the model (default: %(default)s)")
    add("--workers", type=int, default=2, metavar="N", help="threads that read images (default: %(default)s)")
    add("--device", metavar="NAME", help="cpu, cuda, ...; default: a GPU where there is one")
    add("--backbone", metavar="NAME", help="the model, where the recorded one is not found")
    add("--pretrained", metavar="TAG|FILE", help="its weights, likewise")
    add("--force", action="store_true", help="use the prompt on other weights than those it was trained with")
    add(
        "--on-bad-image",
        choices=("report", "skip", "error"),
        default="report",
        help="an unreadable image is reported and makes the exit status 1 (report), is reported (skip), or ends the"
        " program (error); default: %(default)s",
    )
    add("--plugin", action="append", default=[], metavar="PATH", help="a file that registers the run's trainer")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    for option, value, least in (
        ("--top-k", args.top_k, 1),
        ("--batch-size", args.batch_size, 1),
        ("--workers", args.workers, 0),
    ):
        if value < least:
            raise ConfigError(f"{option} is {value}, but must be at least {least}")
    setup_logging(verbose=False)
    classifier = _load(args)
    top_k = min(args.top_k, len(classifier.class_names))
    with ExitStack() as stack:
        handle: IO[str] = stack.enter_context(atomic_write(args.out)) if args.out else sys.stdout
        shown = not args.quiet and (args.out is not None or not sys.stdout.isatty())
        move = stack.enter_context(counting("images", shown=shown))
        write = writer_of(args.format, handle, top_k, classifier.class_names, output_width())
        counts = _classify(classifier, args, top_k, write, move)
        handle.flush()
    if counts.unreadable and args.on_bad_image == "report":
        print(f"{counts.unreadable} of {counts.images} images could not be read", file=sys.stderr)
        return SOME_UNREADABLE
    return 0


class Counts(NamedTuple):
    """How many images there were, and how many of them could not be read."""

    images: int
    unreadable: int


def _load(args: argparse.Namespace) -> Classifier:
    """The classifier that the command line names."""
    from mvlpt.dassl import load_plugin, offer_installed
    from mvlpt.inference import load

    offer_installed()
    for plugin in args.plugin:
        load_plugin(plugin)
    return load(
        args.source,
        args.task,
        names_of_classes(args.classes),
        args.backbone,
        args.device,
        pretrained=args.pretrained,
        force=args.force,
    )


def _classify(
    classifier: Classifier,
    args: argparse.Namespace,
    top_k: int,
    write: Callable[[Prediction], None],
    move: Callable[[int, int | None], None],
) -> Counts:
    """Writes the prediction of every image as soon as it is there.

    Raises:
        DataError: there is no image, or with ``--on-bad-image error`` one that cannot be read.
    """
    number = unreadable = 0
    for scored in classifier.stream(_paths(args.images), batch_size=args.batch_size, workers=args.workers):
        number += 1
        move(number, None)
        if scored.error is not None:
            if args.on_bad_image == "error":
                raise scored.error
            unreadable += 1
            print(f"not read: {sentence(scored.error)}", file=sys.stderr)
            continue
        best = scored.best(top_k)
        write(Prediction(scored.image, [classifier.class_names[k] for k in best.classes], best.probabilities))
    if not number:
        places = ("the lines of the standard input" if name == "-" else name for name in args.images)
        raise DataError(f"There is no image in {', '.join(places)}")
    return Counts(number, unreadable)


def _paths(given: Sequence[str]) -> Iterator[str]:
    """The images, one after the other: files, those in folders and zip files, and lines of the standard input.

    Raises:
        DataError: a name on the command line is neither.
    """
    from mvlpt.inference import each_image

    for name in given:
        if name == "-":
            lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer)  # of any encoding
            yield from filter(None, lines)
        elif os.path.exists(name) or "@" in name:
            yield from each_image(name)
        else:
            raise DataError(f"There is no image and no folder at {name}")

"""``mvlpt export``: a tuned prompt or a run for other programs and for the Hub."""

from __future__ import annotations

import argparse

from mvlpt.cli.common import command_parser, exit_status, names_of_classes, show
from mvlpt.errors import ConfigError
from mvlpt.runtime import setup_logging

EXAMPLES = """\
examples:
  mvlpt export output/alone --to open_clip                      # text prompts, zero-shot, linear probes
  mvlpt export output/alone --to onnx --license cc-by-4.0       # visual prompts too
  mvlpt export output/shared --task weather-dark --to torchscript --out weather
  mvlpt export output/text --classes "a red door,a blue door" --to open_clip
  mvlpt export --list                                           # the formats

formats:
  open_clip     class weights (safetensors) that plain open_clip uses in three lines
  onnx          one file, images in, logits out, any batch; pip install 'mvlpt[export]'
  torchscript   one file for torch, likewise

What is written is checked against the run before the folder appears. The folder holds a card (README.md) in the Hub's
format and export.json, and can be pushed as it is. A method whose class weights depend on the image, such as CoCoOp,
is refused. docs/export.md says which trainers go where.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("export", "Export a tuned prompt or a run for other programs.", EXAMPLES)
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a run's folder, a prompt.safetensors, or a checkpoint of a run")
    add("--to", default="open_clip", metavar="FORMAT", help="open_clip, onnx, torchscript (default: %(default)s)")
    add("--out", metavar="DIR", help="the folder (default: beside the run)")
    add("--task", metavar="NAME", help="the task, where several share the prompt")
    add("--classes", metavar="A,B,C", help="new classes instead, for prompts that classes share")
    add("--license", default="unknown", metavar="NAME", help="of the card, as the Hub knows it, such as cc-by-4.0")
    add("--force", action="store_true", help="replace a folder that an earlier export made")
    add("--backbone", metavar="NAME", help="the model, where the recorded one is not found")
    add("--pretrained", metavar="TAG|FILE", help="its weights, likewise")
    add("--plugin", action="append", default=[], metavar="PATH", help="a file that registers trainers or formats")
    add("--list", action="store_true", help="list the formats, and stop")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.run is None and not args.list:
        raise ConfigError("No run is named; give its folder: mvlpt export output/alone --to open_clip")
    setup_logging(verbose=False)
    from mvlpt.dassl import load_plugin, offer_installed
    from mvlpt.exports import export, export_formats

    offer_installed()
    for plugin in args.plugin:
        load_plugin(plugin)
    if args.list:
        for format in export_formats():
            show(f"{format.name:<14}{format.help}")
        return 0
    exported = export(
        args.run,
        args.to,
        args.out,
        task=args.task,
        classes=names_of_classes(args.classes),
        license=args.license,
        force=args.force,
        backbone=args.backbone,
        pretrained=args.pretrained,
    )
    show(f"{exported.folder}: {', '.join(exported.files)}", exported.verified, "", "Use it in that folder:", "")
    show("\n".join(f"    {line}".rstrip() for line in exported.usage.splitlines()))
    if args.license == "unknown":
        show("", "The card names no licence; --license adds one, as the Hub wants it")
    return 0

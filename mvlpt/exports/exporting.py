"""From a run or a prompt to a folder that other programs, and the Hub, can use."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mvlpt
from mvlpt.engine import ORIGIN, PROMPT_FILE, RESULTS_FILE, read_results
from mvlpt.errors import ConfigError, MvlptError, PromptError, RunFolderError, suggest
from mvlpt.exports.card import check_licence, model_card
from mvlpt.exports.formats import ExportFormat, Written, export_formats
from mvlpt.inference import Classifier, Source, find_source, load
from mvlpt.io import write_file, write_json
from mvlpt.models.backbone import resolve_name

FORMAT, VERSION = "mvlpt-export", 1
RECORD, CARD = "export.json", "README.md"
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        folder: where it is.
        files: the names of its files.
        usage: Python that uses them, run in the folder.
        verified: how they were checked.
    """

    folder: Path
    files: tuple[str, ...]
    usage: str
    verified: str


def export(
    run: str | os.PathLike[str],
    to: str = "open_clip",
    out: str | os.PathLike[str] | None = None,
    *,
    task: str | None = None,
    classes: Sequence[str] | None = None,
    license: str = "unknown",
    force: bool = False,
    backbone: str | None = None,
    pretrained: str | None = None,
) -> Exported:
    """Exports a run or a prompt into a folder, with a card in the Hub's format; the folder appears whole or not at all.

    Example::

        exported = export("output/alone", to="onnx")
        print(exported.usage)

    Args:
        run: a run's folder, a ``prompt.safetensors``, or a checkpoint of a run.
        to: the name of a format, such as ``open_clip``, ``onnx`` or ``torchscript``.
        out: the folder; by default beside the run, named after run, task and format.
        task: one of the tasks that share the prompt; needed where there are several.
        classes: new classes instead of the task's, for prompts that classes share.
        license: as the Hub knows it, for the card.
        force: replace a folder that an earlier export made.
        backbone: the model, where the recorded one is not found.
        pretrained: its weights, likewise.

    Raises:
        ConfigError: there is no such format or licence.
        PromptError: the run does not fit the format; the message says why.
        RunFolderError: the folder exists, or cannot be written.
        MvlptError: the run cannot be loaded.
    """
    format, licence, source = find_format(to), check_licence(license), find_source(run)
    target = Path(out) if out is not None else default_folder(source, to, task)
    _check_target(target, force)
    classifier = load(run, task, classes, backbone, "cpu", pretrained=pretrained)
    if classifier.backbone is None:
        raise PromptError(f"{run} has no CLIP backbone, so it cannot be exported; its own framework can save it")
    temporary = target.absolute().with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir(parents=True)
        try:
            written = format.write(classifier, temporary)
        except PromptError as error:
            raise PromptError(f"{run}: {error}") from error
        record = _record(source, classifier, format, licence, written)
        if classes is not None:
            record["results"] = []  # the run's scores are those of its own classes
        write_json(record, temporary / RECORD)
        write_file(temporary / CARD, model_card(classifier, record, written))
        _replace(temporary, target.absolute())
    except OSError as problem:
        if isinstance(problem, MvlptError):
            raise
        raise RunFolderError(f"Cannot write {target}: {problem.strerror or problem}; choose another --out") from problem
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Exported(target, tuple(sorted(os.listdir(target))), written.usage, written.verified)


def find_format(name: str) -> ExportFormat:
    """The format of a name.

    Raises:
        ConfigError: there is none.
    """
    formats = {format.name: format for format in export_formats()}
    if name not in formats:
        raise ConfigError(f"No export format is named '{name}'{suggest(name, formats)}")
    return formats[name]


def default_folder(source: Source, to: str, task: str | None) -> Path:
    """Beside the run: ``output/alone-onnx``, or ``output/shared-weather-dark-onnx``; beside a prompt without a run."""
    path = source.folder
    if path is None:
        path = source.asked.parent if source.asked.name == PROMPT_FILE else source.asked.with_suffix("")
    path = path if path.name not in ("", "..") else path.resolve()
    name = "-".join(filter(None, (path.name, (task or "").replace("/", "_"), to)))
    return path.parent / name


def _check_target(target: Path, force: bool) -> None:
    if not os.path.lexists(target):
        return
    if not force:
        raise RunFolderError(f"{target} exists; choose another --out, or replace it with --force")
    if target.is_symlink() or not (target / RECORD).is_file():
        raise RunFolderError(f"{target} is no export, so --force does not replace it; choose another --out")


def _replace(temporary: Path, target: Path) -> None:
    """Puts a finished folder in place of an older one, if there is one."""
    if not target.exists():
        temporary.rename(target)
        return
    aside = target.with_name(f".{target.name}.{secrets.token_hex(8)}.removed")
    target.rename(aside)
    temporary.rename(target)
    shutil.rmtree(aside)


def _record(
    source: Source, classifier: Classifier, format: ExportFormat, licence: str, written: Written
) -> dict[str, Any]:
    """The content of ``export.json``: what was exported, from what, and how its images are prepared."""
    state = source.state()
    trained, options = _entry(state, ORIGIN, dict), _entry(state, "options", dict)
    rows = _scores(source, classifier.task.name)
    keys = ("task", "split", "metric", "value", "shots", "seed", "n")
    backbone, images = classifier.backbone, classifier.preprocess
    return {
        "format": FORMAT,
        "version": VERSION,
        "mvlpt": mvlpt.__version__,
        "to": format.name,
        "task": classifier.task.name,
        "classes": list(classifier.class_names),
        "multi_label": classifier.task.multi_label,
        "trainer": _entry(options, "TRAINER.NAME", str) or next((row["trainer"] for row in rows), ""),
        "method": getattr(getattr(classifier.model, "method", None), "name", ""),
        "trained_on": list(map(str, _entry(trained, "tasks", list))),
        "logit_scale": classifier.logit_scale,
        "preprocessing": {
            "size": list(images.size),
            "interpolation": images.interpolation,
            "center_crop": images.center_crop,
            "mean": list(images.mean),
            "std": list(images.std),
            "transparency": images.transparency,
        },
        "backbone": {
            "name": backbone.name,
            "pretrained": backbone.pretrained,
            "fingerprint": backbone.fingerprint,
            "hub": _hub_name(classifier),
        },
        "data": {"fingerprint": _entry(state, "data", str), "sampling": _entry(trained, "sampling", dict)},
        "results": [{key: row[key] for key in keys} for row in rows],
        "license": licence,
        "difference": written.difference,
        "verified": written.verified,
    }


def _entry(record: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind:
    """An entry of a run's record; empty where it is absent or of another kind."""
    value = record.get(key)
    return value if isinstance(value, kind) else kind()


def _scores(source: Source, task: str) -> list[dict[str, Any]]:
    """The scores of a task by the model that is exported; of a numbered checkpoint those that the run measured on it.

    Raises:
        RunFolderError: they cannot be read.
    """
    file = source.folder / RESULTS_FILE if source.folder is not None else None
    rows = read_results(file) if file is not None and file.is_file() else []
    return [row for row in rows if row["task"] == task and source.epoch in (0, row["epoch"])]


def _hub_name(classifier: Classifier) -> str:
    """The backbone's name on the Hub, as open_clip's table has it; empty where it has none."""
    import open_clip

    resolved = resolve_name(classifier.backbone.name, classifier.backbone.pretrained)
    entry = open_clip.get_pretrained_cfg(resolved.arch, resolved.weights) if resolved.weights else None
    return str((entry or {}).get("hf_hub", "")).strip("/")

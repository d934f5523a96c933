"""The card of an export: README.md in the Hub's model-card format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

import mvlpt
from mvlpt.errors import ConfigError, suggest
from mvlpt.exports.formats import Written
from mvlpt.inference import Classifier
from mvlpt.io import clean_text, counted

MOST_CLASSES = 1000  # named in the card; export.json names all
# What the Hub knows under "license", as far as prompts are likely to have it.
LICENCES = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
    *("cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "openrail", "wtfpl"),
    *("unlicense", "other", "unknown"),
)


def check_licence(licence: str) -> str:
    """A licence that the Hub knows.

    Raises:
        ConfigError: it does not know it.
    """
    if licence.lower() not in LICENCES:
        raise ConfigError(
            f"--license {licence} is not a licence that the Hub knows{suggest(licence, LICENCES)}; use 'other' for one"
            " of your own, and describe it in the card"
        )
    return licence.lower()


def model_card(classifier: Classifier, record: Mapping[str, Any], written: Written) -> str:
    """The card.

    Args:
        classifier: what was exported.
        record: the content of ``export.json``.
        written: what the format says.
    """
    task = classifier.task
    head = yaml.safe_dump(_metadata(classifier, record, written), sort_keys=False, allow_unicode=True, width=1000)
    name = clean_text(task.name)
    trained = ", ".join(map(clean_text, record["trained_on"])) or name
    blocks = [
        f"# {_title(record)}",
        f"A classifier of {counted(len(task.classnames), 'class')} (task **{name}**), made by tuning {_method(record)}"
        f" on the frozen backbone **{clean_text(record['backbone']['name'])}** with MVLPT"
        f" {mvlpt.__version__}. Trained on: {trained}.",
        f"## Use\n\nIn this folder:\n\n```python\n{written.usage}```\n\n{written.verified}",
        "## Scores\n\n" + _scores(record),
        "## Classes\n\n" + _classes(task.classnames),
        "## Backbone, images, data\n\n" + _details(record),
        "## Licence\n\n" + _licence(record),
    ]
    return f"---\n{head}---\n\n" + "\n\n".join(blocks) + "\n"


def _title(record: Mapping[str, Any]) -> str:
    return clean_text(f"{record['trainer'] or record['method'] or 'Prompt'} for {record['task']}")


def _method(record: Mapping[str, Any]) -> str:
    return clean_text(f"the prompts of {record['trainer']}" if record["trainer"] else "prompts")


def _metadata(classifier: Classifier, record: Mapping[str, Any], written: Written) -> dict[str, Any]:
    """The fields of the Hub, those that are known."""
    tasks = [clean_text(name, 200) for name in record["trained_on"] or [record["task"]]]
    metadata: dict[str, Any] = {
        "license": record["license"],
        "library_name": written.library,
        "pipeline_tag": "image-classification",
        "tags": ["mvlpt", "prompt-tuning", "clip", *([record["method"]] if record["method"] else [])],
    }
    if record["backbone"]["hub"]:
        metadata["base_model"] = record["backbone"]["hub"]
    metadata["datasets"] = tasks
    metadata["metrics"] = [classifier.task.metric]
    if record["results"]:
        metadata["model-index"] = [{"name": _title(record), "results": [_entry(row) for row in record["results"]]}]
    return metadata


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    name = clean_text(row["task"], 200)
    return {
        "task": {"type": "image-classification", "name": "Image classification"},
        "dataset": {"type": name, "name": name, "split": row["split"]},
        "metrics": [{"type": row["metric"], "value": row["value"], "name": f"{row['metric']}, %"}],
    }


def _scores(record: Mapping[str, Any]) -> str:
    if not record["results"]:
        return "The run recorded no score of these classes by this model."
    lines = ["| task | split | metric | score % | images | shots | seed |", "|:--|:--|:--|--:|--:|--:|--:|"]
    for row in record["results"]:
        shots = "all" if row["shots"] == -1 else row["shots"]
        cells = (row["task"], row["split"], row["metric"], f"{row['value']:.2f}", row["n"], shots, row["seed"])
        lines.append("| " + " | ".join(clean_text(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _classes(names: Sequence[str]) -> str:
    listed = [f"{number}. {clean_text(name)}" for number, name in enumerate(names[:MOST_CLASSES])]
    rest = len(names) - MOST_CLASSES
    return "\n".join([*listed, *([f"\n… and {rest:,} more, in `export.json`"] if rest > 0 else [])])


def _details(record: Mapping[str, Any]) -> str:
    backbone, images, data = record["backbone"], record["preprocessing"], record["data"]
    weights = f" ({clean_text(backbone['pretrained'])})" if backbone["pretrained"] else ""
    crop = "centre crop after resizing the shorter side" if images["center_crop"] else "the whole image, resized"
    details = [
        f"Backbone: {clean_text(backbone['name'])}{weights}, SHA-256 of its weights `{backbone['fingerprint']}`",
        f"Images: {images['size'][0]} × {images['size'][1]}, {images['interpolation']}, {crop}; mean"
        f" {images['mean']}, standard deviation {images['std']}",
        f"Training images: fingerprint `{data['fingerprint'] or 'unknown'}`",
    ]
    if data["sampling"]:
        details.append("Sample: " + ", ".join(f"{key} {clean_text(value)}" for key, value in data["sampling"].items()))
    return "\n".join(f"- {detail}" for detail in details)


def _licence(record: Mapping[str, Any]) -> str:
    if record["license"] == "unknown":
        return "No licence was named. Weights and data of the backbone and of the tasks have licences of their own."
    return f"`{record['license']}`. Weights and data of the backbone and of the tasks have licences of their own."

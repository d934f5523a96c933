"""Class weights for plain open_clip: for prompts that leave the image tower as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from mvlpt.errors import PromptError
from mvlpt.exports.formats import Written, register_export_format
from mvlpt.exports.image_classifier import check_same, image_classifier, samples
from mvlpt.inference import Classifier
from mvlpt.io import write_file
from mvlpt.models.backbone import resolve_name

WEIGHTS = "class_weights.safetensors"
MODEL_FILES = ("open_clip_config.json", "open_clip_model.safetensors")


@register_export_format("open_clip", "class weights for plain open_clip; for prompts that leave the image tower alone")
def write_open_clip(classifier: Classifier, folder: Path) -> Written:
    """Writes the class weights, and the model too where it is not one that open_clip knows by name.

    Raises:
        PromptError: the image tower is changed, or the class weights depend on the image.
        CheckpointError: plain open_clip gives other logits.
    """
    if getattr(classifier.model, "trains_image", False):
        raise PromptError(
            "Its prompt changes the image tower, which plain open_clip cannot do; export it with --to onnx or"
            " --to torchscript"
        )
    module = image_classifier(classifier, "open_clip")
    weights = {
        "class_weights": module.class_weights.contiguous(),
        "class_bias": module.class_bias.contiguous(),
        "logit_scale": torch.tensor(classifier.logit_scale),
    }
    metadata = {"classes": json.dumps(list(classifier.class_names), ensure_ascii=False)}
    write_file(folder / WEIGHTS, save(weights, metadata))
    difference = _verify(classifier, folder)
    return Written(
        usage=_usage(classifier, folder),
        verified=f"Plain open_clip gives the same logits (largest difference {difference:.1g}).",
        library="open_clip",
        difference=difference,
    )


def _verify(classifier: Classifier, folder: Path) -> float:
    """By what the usage computes: the unmodified model and the tensors of the file."""
    kept, pixels = load_file(folder / WEIGHTS), samples(classifier)
    backbone = classifier.backbone
    with torch.no_grad():
        features = backbone.model.encode_image(pixels.to(backbone.device, backbone.image_dtype), normalize=True).float()
        logits = kept["logit_scale"] * features @ kept["class_weights"].T + kept["class_bias"]
    return check_same(logits, classifier.logits(pixels), WEIGHTS)


def _usage(classifier: Classifier, folder: Path) -> str:
    name, options = _model_arguments(classifier, folder)
    preprocess = classifier.preprocess
    options |= {
        "force_image_size": list(preprocess.size),
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
        "image_interpolation": preprocess.interpolation,
        "image_resize_mode": "shortest" if preprocess.center_crop else "squash",
    }
    if options["force_image_size"] == [classifier.backbone.image_size[0]] * 2:
        del options["force_image_size"]
    arguments = ", ".join([repr(name), *(f"{key}={value!r}" for key, value in options.items())])
    return f"""\
import open_clip
from PIL import Image
from safetensors.torch import load_file

model, _, preprocess = open_clip.create_model_and_transforms({arguments})
weights = load_file("{WEIGHTS}")
logits = weights["logit_scale"] * model.eval().encode_image(preprocess(Image.open("image.png"))[None], normalize=True) \
@ weights["class_weights"].T + weights["class_bias"]
"""


def _model_arguments(classifier: Classifier, folder: Path) -> tuple[str, dict[str, Any]]:
    """Name and weights for open_clip; a model in a folder is copied, for it has no name elsewhere."""
    backbone = classifier.backbone
    resolved = resolve_name(backbone.name, backbone.pretrained)
    if resolved.folder is not None:
        for name in MODEL_FILES:
            if not (resolved.folder / name).is_file():
                raise PromptError(
                    f"The folder {resolved.folder} of its backbone has no {name}, which the export would need; export"
                    " it with --to onnx"
                )
            shutil.copyfile(resolved.folder / name, folder / name)
        return "local-dir:.", {}
    options: dict[str, Any] = {"pretrained": resolved.weights}
    if resolved.quick_gelu:
        options["force_quick_gelu"] = True
    return resolved.arch, options

"""ONNX: images in, logits out, for onnxruntime and other engines."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from mvlpt.errors import MissingExtraError, PromptError
from mvlpt.exports.formats import Written, register_export_format
from mvlpt.exports.image_classifier import ImageClassifier, check_same, image_classifier, samples
from mvlpt.inference import Classifier
from mvlpt.io import first_line

FILE = "model.onnx"
NEEDED = ("onnx", "onnxscript")


@register_export_format("onnx", "one file for onnxruntime: images in, logits out; visual prompts too")
def write_onnx(classifier: Classifier, folder: Path) -> Written:
    """Writes the whole classifier as ONNX, with any number of images in a batch.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
        PromptError: the classifier is more than an image tower and class weights, or torch cannot export it.
        CheckpointError: the file gives other logits.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"--to onnx needs {' and '.join(missing)}; pip install 'mvlpt[export]'")
    module, pixels = image_classifier(classifier, "onnx"), samples(classifier)
    try:
        with _quiet(), torch.no_grad():
            _export(module, pixels, folder / FILE)
    except Exception as error:  # the exporter has many kinds, all of them about what it cannot translate
        raise PromptError(f"It cannot be exported to onnx; torch says: {first_line(error)}") from error
    height, width = classifier.preprocess.size
    verified, difference = _verify(classifier, pixels, folder / FILE)
    return Written(
        usage=f"""\
import onnxruntime

session = onnxruntime.InferenceSession("{FILE}", providers=["CPUExecutionProvider"])
(logits,) = session.run(None, {{"pixels": pixels}})  # (images, 3, {height}, {width}), prepared as export.json says
""",
        verified=verified,
        library="onnx",
        difference=difference,
    )


def _export(module: ImageClassifier, pixels: Tensor, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(module, (pixels,), dynamic_shapes=({0: batch},))
    torch.onnx.export(
        program, (), str(path), dynamo=True, input_names=["pixels"], output_names=["logits"], external_data=False,
        verbose=False,
    )  # fmt: skip


def _verify(classifier: Classifier, pixels: Tensor, path: Path) -> tuple[str, float | None]:
    if find_spec("onnxruntime") is None:
        return "onnxruntime is not installed, so the file was not run; pip install 'mvlpt[export]' to check it.", None
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    differences = []
    for batch in (pixels[:1], pixels, pixels.repeat(2, 1, 1, 1)):
        (logits,) = session.run(None, {"pixels": batch.numpy()})
        differences.append(check_same(torch.from_numpy(logits), classifier.logits(batch), FILE))
    said = f"onnxruntime gives the same logits for 1, 3 and 6 images (largest difference {max(differences):.1g})."
    return said, max(differences)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context without the exporter's progress and its remarks on operators that it does not fold."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

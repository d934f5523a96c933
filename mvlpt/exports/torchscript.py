"""TorchScript: images in, logits out, for programs that have torch and nothing else."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from mvlpt.errors import PromptError
from mvlpt.exports.formats import Written, register_export_format
from mvlpt.exports.image_classifier import check_same, image_classifier, samples
from mvlpt.inference import Classifier
from mvlpt.io import first_line

FILE = "model.pt"


@register_export_format("torchscript", "one file for torch: images in, logits out; visual prompts too")
def write_torchscript(classifier: Classifier, folder: Path) -> Written:
    """Writes the whole classifier as TorchScript, with any number of images in a batch.

    Raises:
        PromptError: the classifier is more than an image tower and class weights, or torch cannot trace it.
        CheckpointError: the file gives other logits.
    """
    module, pixels = image_classifier(classifier, "torchscript"), samples(classifier)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            traced = torch.jit.trace(module, (pixels,), check_trace=False)
            torch.jit.save(traced, str(folder / FILE))
        except (RuntimeError, TypeError) as error:
            raise PromptError(f"It cannot be exported to torchscript; torch says: {first_line(error)}") from error
        loaded = torch.jit.load(str(folder / FILE))
        batches = (pixels[:1], pixels, pixels.repeat(2, 1, 1, 1))
        difference = max(check_same(loaded(batch), classifier.logits(batch), FILE) for batch in batches)
    height, width = classifier.preprocess.size
    return Written(
        usage=f"""\
import torch

model = torch.jit.load("{FILE}").eval()
logits = model(pixels)  # pixels: (images, 3, {height}, {width}), prepared as export.json says
""",
        verified=f"The file gives the same logits for 1, 3 and 6 images (largest difference {difference:.1g}).",
        library="pytorch",
        difference=difference,
    )

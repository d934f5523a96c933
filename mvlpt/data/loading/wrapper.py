"""From an item to a dictionary with its image: Dassl's ``DatasetWrapper``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms as T

from mvlpt.data.datum import Datum
from mvlpt.data.images.archives import file_stamp
from mvlpt.data.images.reading import read_image
from mvlpt.data.loading.cache import pixels_cached, read_image_cached
from mvlpt.data.loading.pixels import PixelPlan, Pixels
from mvlpt.data.loading.shared_pixels import SharedPixels
from mvlpt.data.loading.transforms import INTERPOLATION_MODES, Pipeline, TaskPipelines, transform_of
from mvlpt.errors import ConfigError

Transform = Callable[[Image.Image], Any]


class DatasetWrapper(Dataset):
    """A map-style data set of dictionaries ``img, label, domain, impath, index``.

    With a list of transforms the images are ``img, img2, ...``; with ``DATALOADER.K_TRANSFORMS`` above 1, for
    training, each of them is a list of views; with ``DATALOADER.RETURN_IMG0`` there is ``img0`` without augmentation.

    Images are cached after decoding and the deterministic steps, in ``DATALOADER.CACHE_MB`` of memory: of this process,
    or shared with the workers it forks. Training images always enter the cache, those of other splits only if the
    whole split fits into half of it, so that large test sets do not fill it.

    Args:
        cfg: the run's config.
        data_source: the items.
        transform: from an RGB image to a tensor, possibly different for each task; a list of these; or ``None``, which
            gives the image itself.
        is_train: for training.
        transparency: ``white`` or ``drop``, for all items or for each task; see :class:`DatasetBase`.
    """

    def __init__(
        self,
        cfg: Any,
        data_source: Sequence[Datum],
        transform: Transform | Sequence[Transform] | None = None,
        is_train: bool = False,
        *,
        transparency: str | Sequence[str] = "white",
    ) -> None:
        self.cfg = cfg
        self.data_source = data_source
        self.transform = transform
        self.is_train = is_train
        self.transparency = transparency
        self.k_tfm = cfg.DATALOADER.K_TRANSFORMS if is_train else 1
        self.return_img0 = cfg.DATALOADER.RETURN_IMG0
        if self.k_tfm > 1 and transform is None:
            raise ConfigError(f"DATALOADER.K_TRANSFORMS is {self.k_tfm}, but INPUT.NO_TRANSFORM leaves no transform")
        steps: list[Transform] = [T.Resize(list(cfg.INPUT.SIZE), INTERPOLATION_MODES[cfg.INPUT.INTERPOLATION])]
        steps.append(T.ToTensor())
        if "normalize" in cfg.INPUT.TRANSFORMS:
            steps.append(T.Normalize(cfg.INPUT.PIXEL_MEAN, cfg.INPUT.PIXEL_STD))
        self.to_tensor = T.Compose(steps)
        self._plans = self._make_plans() if self.k_tfm == 1 and not self.return_img0 else None
        budget, workers = int(cfg.DATALOADER.get("CACHE_MB", 0) * 2**20), cfg.DATALOADER.NUM_WORKERS
        needed = 3 * cfg.INPUT.SIZE[0] * cfg.INPUT.SIZE[1] * len(data_source)
        self.cache_bytes = budget if is_train or needed <= budget / 2 else 0
        self._shared = self._share(len(data_source)) if workers and self._plans and self.cache_bytes else None
        if workers and self._shared is None:
            self.cache_bytes //= workers  # each worker keeps its own

    def _make_plans(self) -> Sequence[PixelPlan] | None:
        """The plan for all domains, or one for each; ``None`` where the transform is not a :class:`Pipeline`."""
        if isinstance(self.transform, Pipeline):
            return [PixelPlan(self.transform.transforms)]
        if isinstance(self.transform, TaskPipelines):
            return [PixelPlan(pipeline.transforms) for pipeline in self.transform.by_task]
        return None

    def _plan(self, item: Datum) -> PixelPlan:
        return self._plans[item.domain if len(self._plans) > 1 else 0]

    def _share(self, num_images: int) -> SharedPixels | None:
        """Memory shared by all workers; ``None`` where the system cannot provide it."""
        try:
            return SharedPixels(self.cache_bytes, num_images)
        except (OSError, ValueError):
            return None

    def __getstate__(self) -> dict[str, Any]:
        """A worker that is not forked cannot see the shared memory; it caches its own images."""
        return {**self.__dict__, "_shared": None}

    def __len__(self) -> int:
        return len(self.data_source)

    @property
    def defers(self) -> bool:
        """:meth:`deferred` may be called instead of indexing: no subclass has overridden that."""
        plain = type(self).__getitem__ is DatasetWrapper.__getitem__
        return plain and self._plans is not None and all(plan.deferrable for plan in self._plans)

    @property
    def view_bytes(self) -> int:
        """Bytes of one view as float32, where :meth:`deferred` may be called; else 0."""
        return 4 * 3 * math.prod(self.cfg.INPUT.SIZE) if self.defers else 0

    def deferred(self, idx: int) -> dict[str, Any]:
        """As indexing, but ``img`` is a :class:`mvlpt.data.loading.pixels.View` that is not computed yet."""
        item = self.data_source[idx]
        view = self._plan(item).draw(self._pixels(idx, item))
        return {"label": item.label, "domain": item.domain, "impath": item.impath, "index": idx, "img": view}

    def __getitem__(self, idx: int) -> dict[str, Any]:
        item = self.data_source[idx]
        output = {"label": item.label, "domain": item.domain, "impath": item.impath, "index": idx}
        if self._plans is not None:
            output["img"] = self._plan(item).view(self._pixels(idx, item))
            return output
        img0 = read_image_cached(item.impath, self.cache_bytes, transparency_of(self, item.domain))
        if self.transform is None:
            output["img"] = img0
        elif isinstance(self.transform, (list, tuple)):
            for number, transform in enumerate(self.transform, start=1):
                output["img" if number == 1 else f"img{number}"] = self._transform_image(transform, img0)
        else:
            output["img"] = self._transform_image(transform_of(self.transform, item.domain), img0)
        if self.return_img0:
            output["img0"] = self.to_tensor(img0)
        return output

    def _pixels(self, idx: int, item: Datum) -> Pixels:
        if self._shared is None:
            return pixels_cached(item.impath, self._plan(item), self.cache_bytes, transparency_of(self, item.domain))
        stamp = file_stamp(item.impath)
        pixels = self._shared.get(idx, stamp)
        if pixels is None:
            pixels = self._plan(item).prepare(read_image(item.impath, transparency_of(self, item.domain)))
            self._shared.put(idx, stamp, pixels)
        return pixels

    def _transform_image(self, tfm: Transform, img0: Image.Image) -> Any:
        views = [tfm(img0) for _ in range(self.k_tfm)]
        return views[0] if len(views) == 1 else views


def transparency_of(wrapper: Any, domain: int) -> str:
    """How a wrapper reads transparent images of a domain; ``white`` for wrappers that do not say."""
    chosen = getattr(wrapper, "transparency", "white")
    return chosen if isinstance(chosen, str) else chosen[domain]

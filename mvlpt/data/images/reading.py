"""Reads one image, from a file or straight from a zip archive, and refuses what is broken or dangerous."""

from __future__ import annotations

import functools
import io
import os

from PIL import Image, UnidentifiedImageError

from mvlpt.data.images.archives import ARRAYS, read_entry, split_impath, torchvision_arrays
from mvlpt.data.images.modes import rescale_transparent_colour, upright_rgb
from mvlpt.errors import DataError
from mvlpt.io import limit

_VARIABLE = "MVLPT_MAX_PIXELS"  # by default just below the count at which Pillow begins to warn of a decompression bomb
_RAISE = f"({_VARIABLE} raises the limit)"
_PROGRAMS = ("EPS",)  # Pillow would start Ghostscript on the file
_STUBS = ("BUFR", "GRIB", "HDF5", "MPEG", "WMF")  # formats that Pillow recognises but cannot decode by itself


def read_image(impath: str, transparency: str = "white") -> Image.Image:
    """Reads an image as RGB, turned upright as its EXIF record says.

    Args:
        impath: a file, or ``archive.zip@entry``.
        transparency: ``white`` or ``drop``, see :func:`mvlpt.data.images.modes.upright_rgb`.

    Raises:
        DataError: the file or entry is missing, cannot be decoded, is truncated or is too large.
    """
    path, entry = split_impath(impath)
    try:
        if entry is not None and path.endswith(ARRAYS):
            return torchvision_arrays().read_array_image(path, entry).convert("RGB")
        if entry is None and os.path.exists(path) and not os.path.isfile(path):
            raise DataError(f"The image {impath} is not a regular file")  # a pipe would block
        most = _pixel_limit()
        source = io.BytesIO(read_entry(path, entry)) if entry is not None else path
        with Image.open(source, formats=_formats()) as image:
            width, height = image.size
            if width * height > most:
                raise DataError(f"The image {impath} has {width} x {height} pixels; at most {most:,} are read {_RAISE}")
            rescale_transparent_colour(image)
            image.load()
            return upright_rgb(image, impath, transparency)
    except (DataError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"The image {impath} does not exist") from None
    except Image.DecompressionBombError:
        raise DataError(
            f"The image {impath} is too large: it has more than {limit(_VARIABLE):,} pixels {_RAISE}"
        ) from None
    except UnidentifiedImageError:
        raise DataError(f"The file {impath} is not an image that can be read") from None
    except Exception as error:  # decoders raise all kinds of errors on broken input
        if isinstance(error, OSError) and error.strerror:  # the system's own
            raise DataError(f"The image {impath} cannot be read: {error.strerror}") from error
        reason = str(error).strip() or type(error).__name__
        raise DataError(f"The image {impath} cannot be decoded: {reason}") from error


def _pixel_limit() -> int:
    """Pillow's own limit, half of what it refuses, is raised where the user's is higher."""
    most = limit(_VARIABLE)
    if Image.MAX_IMAGE_PIXELS is not None and most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most
    return most


@functools.cache
def image_suffixes() -> frozenset[str]:
    """Suffixes of the files that can be read, in lower case with their dots: those of Pillow's decoders."""
    Image.init()
    formats = set(_formats()) - set(_STUBS)
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in formats)


@functools.cache
def _formats() -> tuple[str, ...]:
    """The accepted formats: all of Pillow's, except those for which it starts another program on the file."""
    Image.init()
    return tuple(name for name in Image.ID if name not in _PROGRAMS)

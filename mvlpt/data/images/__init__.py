"""One image: read from a file or from inside a zip archive, checked, and converted to upright RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.data.images.archives import archive_entries, cut_at_archive, file_stamp, read_entry, split_impath
    from mvlpt.data.images.modes import upright_rgb
    from mvlpt.data.images.reading import image_suffixes, read_image

__all__ = [
    "archive_entries",
    "cut_at_archive",
    "file_stamp",
    "image_suffixes",
    "read_entry",
    "read_image",
    "split_impath",
    "upright_rgb",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "archive_entries": "archives",
        "cut_at_archive": "archives",
        "file_stamp": "archives",
        "image_suffixes": "reading",
        "read_entry": "archives",
        "read_image": "reading",
        "split_impath": "archives",
        "upright_rgb": "modes",
    },
)

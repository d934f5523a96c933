"""The two ways between Dassl and this engine: Dassl's code here, and our trainers and data sets inside Dassl."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.dassl.names import provide_dassl_names
    from mvlpt.dassl.plugins import load_plugin, plugin_roots

__all__ = ["load_plugin", "plugin_roots", "provide_dassl_names"]

__getattr__ = lazy_exports(
    __name__,
    {"load_plugin": "plugins", "plugin_roots": "plugins", "provide_dassl_names": "names"},
)

"""The two ways between Dassl and this engine: Dassl's code here, and our trainers and data sets inside Dassl.

- :func:`load_plugin` runs a file or a whole repository that was written for Dassl.
- :func:`offer_installed` lets the trainers and data sets of an installed Dassl run on this engine.
- :func:`join_dassl` puts our trainers and data sets into the installed Dassl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.dassl.inside import config_from_dassl, extend_cfg, join_dassl
    from mvlpt.dassl.installed import offer_installed
    from mvlpt.dassl.names import provide_dassl_names
    from mvlpt.dassl.plugins import load_installed_plugins, load_plugin, own_flags, plugin_roots
    from mvlpt.dassl.surface import LEFT_OUT, SURFACE

__all__ = [
    "LEFT_OUT",
    "SURFACE",
    "config_from_dassl",
    "extend_cfg",
    "join_dassl",
    "load_installed_plugins",
    "load_plugin",
    "offer_installed",
    "own_flags",
    "plugin_roots",
    "provide_dassl_names",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "LEFT_OUT": "surface",
        "SURFACE": "surface",
        "config_from_dassl": "inside",
        "extend_cfg": "inside",
        "join_dassl": "inside",
        "load_installed_plugins": "plugins",
        "load_plugin": "plugins",
        "offer_installed": "installed",
        "own_flags": "plugins",
        "plugin_roots": "plugins",
        "provide_dassl_names": "names",
    },
)

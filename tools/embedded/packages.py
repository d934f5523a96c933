"""Pinned artwork packages: download with npm, check against the pin, read the icons without unpacking."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

PIN_FILE = Path(__file__).with_name("artwork.json")
LICENCES_WE_SHIP = frozenset({"MIT", "Apache-2.0", "ISC", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0"})


class ArtworkError(RuntimeError):
    """A package is missing, altered or not ours to ship."""


@dataclass(frozen=True)
class Package:
    """One pinned icon set.

    Attributes:
        name: Icon set name, e.g. ``tabler``; the npm package is ``@iconify-json/tabler``.
        version: Exact npm version.
        integrity: Subresource integrity string (``sha512-...``) of the tarball.
        license: SPDX identifier found in the package.
        role: ``pretraining`` or ``tasks``.
        designer: Sets that share a designer are kept on one side of every split.
    """

    name: str
    version: str
    integrity: str
    license: str
    role: str
    designer: str

    @property
    def npm_name(self) -> str:
        return f"@iconify-json/{self.name}"

    @property
    def file_name(self) -> str:
        return f"iconify-json-{self.name}-{self.version}.tgz"


@dataclass(frozen=True)
class Icon:
    """One drawing: SVG body and the view box it is drawn in."""

    set_name: str
    name: str
    body: str
    box: tuple[float, float, float, float]

    @property
    def svg(self) -> str:
        left, top, width, height = self.box
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left:g} {top:g} {width:g} {height:g}">{self.body}</svg>'
        )


@dataclass(frozen=True)
class IconSet:
    """All drawings of a package, the other names they go by, and who drew them."""

    package: Package
    title: str
    author: str
    url: str
    license_title: str
    license_url: str
    icons: dict[str, Icon]
    aliases: dict[str, str]


def load_pins(path: Path = PIN_FILE) -> list[Package]:
    """Reads the pinned packages, refusing licences that may not be shipped."""
    packages = [Package(name=name, **entry) for name, entry in json.loads(path.read_text())["packages"].items()]
    for package in packages:
        if package.license not in LICENCES_WE_SHIP:
            raise ArtworkError(
                f"{package.npm_name}: licence {package.license} may not be shipped; "
                f"allowed are {', '.join(sorted(LICENCES_WE_SHIP))}."
            )
    return packages


def integrity_of(path: Path) -> str:
    """Subresource integrity string of a file."""
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def fetch(package: Package, folder: Path) -> Path:
    """Returns the package's tarball in ``folder``, downloading it with ``npm pack`` if it is not there yet."""
    target = folder / package.file_name
    if not target.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise ArtworkError(f"npm is needed to download {package.npm_name}; install Node.js or put {target} there.")
        folder.mkdir(parents=True, exist_ok=True)
        spec = f"{package.npm_name}@{package.version}"
        done = subprocess.run([npm, "pack", spec, "--pack-destination", str(folder)], capture_output=True, text=True)
        if done.returncode != 0 or not target.exists():
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ArtworkError(f"npm could not download {spec}: {reason}")
    found = integrity_of(target)
    if found != package.integrity:
        raise ArtworkError(
            f"{target} is not the pinned file: its hash is {found[:20]}..., not {package.integrity[:20]}..."
        )
    return target


def read_icons(package: Package, tarball: Path) -> IconSet:
    """Reads an icon set from its tarball; transformed aliases (flipped or turned drawings) are left out."""
    with tarfile.open(tarball) as archive:
        data = json.load(archive.extractfile("package/icons.json"))
        info = json.load(archive.extractfile("package/info.json"))
    licence = info["license"]
    if licence["spdx"] != package.license:
        raise ArtworkError(f"{tarball.name} says licence {licence['spdx']}, the pin says {package.license}.")
    keys = ("left", "top", "width", "height")
    defaults = (data.get("left", 0), data.get("top", 0), data.get("width", 16), data.get("height", 16))
    icons = {}
    for name, entry in data["icons"].items():
        if entry.get("hidden"):
            continue
        box = tuple(float(entry.get(key, value)) for key, value in zip(keys, defaults, strict=True))
        icons[name] = Icon(package.name, name, entry["body"], box)
    transforms = {"hFlip", "vFlip", "rotate"}
    aliases = {
        name: entry["parent"]
        for name, entry in data.get("aliases", {}).items()
        if entry["parent"] in icons and not transforms & entry.keys()
    }
    return IconSet(
        package=package,
        title=info["name"],
        author=info["author"]["name"],
        url=info["author"].get("url", ""),
        license_title=licence["title"],
        license_url=licence.get("url", ""),
        icons=icons,
        aliases=aliases,
    )

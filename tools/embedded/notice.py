"""The notice file: whose artwork is in the tasks and in the model's training data, and under which licence."""

from __future__ import annotations

from embedded.packages import IconSet

HEADER = """NOTICE

MVLPT's own code is under the MIT licence (see LICENSE). The artwork named below is not ours; it keeps its licence.

1. Images of the embedded tasks (mvlpt/assets/tasks)

Small renderings (48 x 48 pixels) of icons from the sets below. Changes made to the artwork: rasterised, and for the
looks "dark" and "blueprint" recoloured, resized, blurred and overlaid with noise. Which image shows which icon is
written in sources.txt inside each task's images.zip. The sets were obtained as npm packages @iconify-json/<set>.

"""
MIDDLE = """
2. Training data of the embedded model (mvlpt/assets/model)

The model was trained on drawings of the sets below and their names. No drawing of these sets is in this repository;
the weights are under the MIT licence like the code, with thanks to the authors.

"""
LICENCE_TEXTS = """
MIT License (the copyright holders are the authors named above)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

ISC License (the copyright holders are the authors named above)

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
"""
LICENCE_NAMES = {
    "MIT": ("MIT License", "https://opensource.org/license/mit"),
    "ISC": ("ISC License", "https://opensource.org/license/isc-license-txt"),
    "Apache-2.0": ("Apache License, Version 2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    "CC0-1.0": ("Creative Commons Zero 1.0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "CC-BY-3.0": ("Creative Commons Attribution 3.0 Unported", "https://creativecommons.org/licenses/by/3.0/"),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0 International", "https://creativecommons.org/licenses/by/4.0/"),
}


def _entry(icon_set: IconSet, subjects: list[str] | None) -> str:
    package = icon_set.package
    lines = [
        f"{icon_set.title} ({package.npm_name} {package.version})",
        f"  by {icon_set.author}" + (f", {icon_set.url}" if icon_set.url else ""),
        f"  {LICENCE_NAMES[package.license][0]} ({package.license})"
        + (f", {icon_set.license_url}" if icon_set.license_url else ""),
    ]
    if subjects:
        lines.append(f"  used in: {', '.join(subjects)}")
    return "\n".join(lines) + "\n"


def text(sets: dict[str, IconSet], subjects_of: dict[str, list[str]]) -> str:
    """The whole notice.

    Args:
        sets: All pinned icon sets.
        subjects_of: Set name -> subjects whose tasks show its drawings.

    Returns:
        Text of the file.
    """
    tasks = [sets[name] for name in sorted(subjects_of)]
    training = [s for _, s in sorted(sets.items()) if s.package.role == "pretraining"]
    used = sorted({s.package.license for s in tasks + training})
    licences = "".join(f"{key}: {LICENCE_NAMES[key][0]}, {LICENCE_NAMES[key][1]}\n" for key in used)
    shown = "\n".join(_entry(s, subjects_of[s.package.name]) for s in tasks)
    learned = "\n".join(_entry(s, None) for s in training)
    return HEADER + shown + MIDDLE + learned + "\n3. Licences\n\n" + licences + LICENCE_TEXTS

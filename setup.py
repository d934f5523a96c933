"""Packaging of MVLPT.

The house keeps trainers and data sets in folders of their own at the top level, where users of CoOp and Dassl look
for them; they are installed as ``mvlpt.trainers`` and ``mvlpt.datasets``, so that no installed package is shadowed.
"""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

REQUIREMENTS = [
    "torch>=2.6",
    "torchvision>=0.21",
    "open_clip_torch>=3.0",
    "yacs>=0.1.8",
    "networkx>=3.2",
    "scipy>=1.11",
    "scikit-learn>=1.4",
    "POT>=0.9.4",
    "numpy>=1.26",
    "pillow>=10.1",
    "rich>=13.7",
    "safetensors>=0.4.3",
    "PyYAML>=6.0",
    "jinja2>=3.1",
]
EXTRAS = {
    "report": ["matplotlib>=3.8", "tensorboard>=2.16"],
    "export": ["onnx>=1.17", "onnxruntime>=1.19", "onnxscript>=0.3"],
    "search": ["optuna>=3.6"],
    "ray": ["ray>=2.40"],
    "slurm": ["submitit>=1.5"],
    # Dassl is on no package index; its setup.py imports NumPy, so install with --no-build-isolation.
    "dassl": [
        "dassl @ git+https://github.com/KaiyangZhou/Dassl.pytorch@c61a1b570ac6333bd50fb5ae06aea59002fb20bb",
        *("wilds==1.2.2", "tabulate", "gdown", "tensorboard>=2.16"),
    ],
    "torchvision": ["h5py>=3.8"],
    "embedded": ["resvg_py>=0.5"],
    "completion": ["shtab>=1.7"],
    "notebook": ["ipykernel>=6.29", "ipywidgets>=8.1", "nbclient>=0.10", "pandas>=2.1"],
    "browser": ["playwright>=1.40"],  # tests of the report; its browser is the system's Chromium
}
EXTRAS["dev"] = [
    *("pytest>=8.0", "pytest-xdist>=3.5", "hypothesis>=6.100", "ruff>=0.9"),
    *EXTRAS["report"],
    *EXTRAS["torchvision"],
    *EXTRAS["notebook"],
    *EXTRAS["export"],
    *EXTRAS["search"],
]


def _packages() -> list[str]:
    packages = find_packages(include=["mvlpt", "mvlpt.*"])
    for room in ("trainers", "datasets"):
        packages += [f"mvlpt.{room}"] + [f"mvlpt.{room}.{name}" for name in find_packages(room)]
    return [*packages, "mvlpt.configs"]  # YAML files only


setup(
    name="mvlpt",
    version=(HERE / "mvlpt" / "VERSION").read_text().strip(),
    description="Multitask vision-language prompt tuning: shared prompts, task graphs, grouped runs",
    long_description=(HERE / "README.md").read_text(encoding="utf-8") if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=_packages(),
    package_dir={"mvlpt.trainers": "trainers", "mvlpt.datasets": "datasets", "mvlpt.configs": "configs"},
    package_data={
        "mvlpt": [
            "VERSION",
            "py.typed",
            "assets/**/*",
            "data/sources/benchmarks/*",
            "graph/choice/*.csv",
            "report/page/**/*",
        ],
        "mvlpt.configs": ["**/*.yaml"],
    },
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["mvlpt = mvlpt.cli:main"]},
)

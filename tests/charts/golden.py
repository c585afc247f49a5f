"""What the charts render, kept to be read in a review: `python tests/charts/golden.py` writes golden/CHART/*.yaml anew.

Written by object, with sorted keys and without comments, so that it is the same from every Helm.
"""

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from chart_rendering import VARIANTS, Helm, Object, install_tools

FOLDER = Path(__file__).parent / "golden"
NAMES = VARIANTS


def text(objects: list[Object]) -> str:
    """All objects, one document each, by kind and name."""
    ordered = sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))
    return yaml.dump_all(ordered, Dumper=yaml.CSafeDumper, width=140)


def main() -> None:
    """Write every file."""
    helm = Helm(install_tools() / "helm")
    for name in NAMES:
        file = FOLDER / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text(helm.render(name)))


if __name__ == "__main__":
    main()

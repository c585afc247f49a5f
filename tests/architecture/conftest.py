"""Lets these tests import the selection of tests by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "selection"))

"""What is committed of other projects is what was published."""

import hashlib
import runpy
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]


def test_vendored_files_are_those_of_the_package_and_no_other_lies_beside_them() -> None:
    script = runpy.run_path(str(CHECKOUT / "scripts/vendor.py"))

    expected = {name: sha256 for name, (_, sha256) in script["FILES"].items()}

    assert expected == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in script["VENDOR"].iterdir()}

"""What is rendered is what was reviewed, from either Helm, and the same every time."""

import subprocess
from pathlib import Path

import golden
import pytest

from chart_rendering import CHARTS, CI_VALUES, RENDERED, VARIANTS, Helm


@pytest.mark.parametrize("name", golden.NAMES)
def test_what_is_rendered_was_reviewed(helm: Helm, name: str) -> None:
    expected = (golden.FOLDER / f"{name}.yaml").read_text()

    assert expected == golden.text(helm.render(name)), "if this is meant: python tests/charts/golden.py"


@pytest.mark.parametrize("name", golden.NAMES)
def test_helm_3_renders_the_same_objects_in_the_same_order(helm: Helm, helm3: Helm, name: str) -> None:
    assert helm.render(name) == helm3.render(name)


def test_no_golden_file_is_left_of_values_that_are_gone() -> None:
    kept = {str(path.relative_to(golden.FOLDER)) for path in golden.FOLDER.rglob("*.yaml")}

    assert {f"{name}.yaml" for name in golden.NAMES} == kept


@pytest.mark.parametrize("name", golden.NAMES)
def test_two_renders_are_byte_for_byte_the_same(helm: Helm, name: str) -> None:
    first = helm.template(name).stdout
    again = Helm(helm.program).template(name).stdout

    assert first == again


@pytest.mark.parametrize("path", CI_VALUES, ids=VARIANTS)
def test_helm_finds_nothing_to_complain_of(either_helm: Helm, path: Path) -> None:
    done = either_helm.run("lint", "--strict", str(path.parent.parent), "--values", str(path))

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fresh_clone_renders_without_fetching_anything(helm: Helm, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", "--no-local", CHARTS.parent, f"{tmp_path}/clone"], check=True)

    cloned = [helm.run("template", name, f"{tmp_path}/clone/charts/{name}") for name in RENDERED]

    assert not [done.stderr for done in cloned if done.returncode]

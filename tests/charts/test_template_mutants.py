"""Nothing of a template can be taken out without a test that says so: what is left renders otherwise, or lets impossible values through."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import golden
import pytest
from refusals import IMPOSSIBLE
from template_mutants import Mutant, mutants

from chart_rendering import CHARTS, VARIANTS, Helm

UNSEEN = {"_checks_cluster.tpl": "tests/e2e/orders/test_releases.py", "_notes.tpl": "tests/charts/test_notes.py"}
"""What a render without a cluster does not show, and the tests that see it."""
TEMPLATES = tuple(path for path in sorted((CHARTS / "celery-app" / "templates").iterdir()) if path.name not in UNSEEN)
# What shows the most first. Other charts show what the orders do not use.
ORDER = ("dedicated", "extended", "autoscaled", "external-tls", "minimal", "standby", "ha")
SHOWN = (*(f"orders/{name}" for name in ORDER), *(name for name in VARIANTS if not name.startswith("orders/")))
ELSEWHERE = {
    "_ingress.tpl": "orders/extended",
    "_cronjob.tpl": "orders/extended",
    "_pod.tpl": "orders/extended",
    "_autoscaling.tpl": "analytics/autoscaled",
    "_runtime.tpl": "example/more",
}
"""What shows a template that the first of the order does not."""
NOTHING = re.compile(r"^\s*(#.*)?\n", re.MULTILINE)


def rendered(helm: Helm, name: str) -> str:
    """What the values file gives, without comments and empty lines; an error is an answer, too."""
    done = helm.template(name)
    return NOTHING.sub("", done.stdout) if done.returncode == 0 else done.stderr


def unnoticed(helm: Helm, mutant: Mutant, template: str, folder: Path) -> bool:
    """Whether every golden file and every refusal is as before."""
    shutil.copytree(CHARTS, folder, symlinks=True)
    (folder / "celery-app" / "templates" / template).write_text(mutant.text)
    broken = Helm(helm.program, folder / "orders")
    words = set(mutant.removed.split())
    refused = sorted(IMPOSSIBLE.values(), key=lambda case: -len(words.intersection(case[1].split())))
    shown = sorted(SHOWN, key=lambda name: name != ELSEWHERE.get(template))

    def renders() -> bool:
        return all(rendered(helm, name) == rendered(broken, name) for name in shown)

    def refuses() -> bool:
        return all(said in broken.template(values=values).stderr for values, said in refused)

    return refuses() and renders() if template.startswith("_checks") else renders() and refuses()


def test_the_order_holds_every_values_file() -> None:
    assert set(SHOWN) == set(golden.NAMES)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem.strip("_"))
def test_nothing_can_be_taken_out_of_a_template_unnoticed(helm: Helm, template: Path, tmp_path: Path) -> None:
    made = [one for one in mutants(template.read_text()) if "celery-app.checks.cluster" not in one.removed]
    folders = [tmp_path / str(number) for number in range(len(made))]

    with ThreadPoolExecutor(2) as threads:
        kept = threads.map(lambda one, folder: unnoticed(helm, one, template.name, folder), made, folders)
        survivors = [str(mutant) for mutant, survived in zip(made, kept, strict=True) if survived]

    assert [] == survivors

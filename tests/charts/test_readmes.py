"""What the charts' READMEs say is so."""

import re
import shutil
import sys
from pathlib import Path

import golden
import pytest
import yaml

from chart_rendering import CHARTS, ORDERS, Helm, container_of, only

sys.path.insert(0, str(CHARTS))

import schemas


def test_the_readme_adds_a_pool_as_it_says(helm: Helm) -> None:
    readme = (ORDERS / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)

    added = only(helm.render(values=yaml.safe_load(example)), "Deployment", "orders-returns")

    assert "orders.returns" in container_of(added)["command"]


def test_the_readme_says_what_a_refusal_says(helm: Helm) -> None:
    readme = (ORDERS / "README.md").read_text()
    (said,) = re.findall(r"`pools\.returns: ([^`]*)`", readme)
    returns = {"role": "worker", "queues": ["orders.returns"], "concurrency": 2, "drainSeconds": 64}

    assert f"pools.returns: {said}" in helm.refusal({"pools": {"returns": returns}})


def test_the_library_s_readme_names_its_templates_and_no_others() -> None:
    readme = (CHARTS / "celery-app" / "README.md").read_text()
    templates = {path.stem for path in (CHARTS / "celery-app" / "templates").glob("_*.tpl")}

    assert templates - {"_app", "_names"} == set(re.findall(r"`(_[a-z_]+)`", readme))


def test_the_page_on_deploys_says_what_the_refusal_says(helm: Helm) -> None:
    page = (CHARTS.parent / "docs" / "practising-a-rolling-deploy.md").read_text()
    (seconds,) = re.findall(r"--set pools\.payments\.graceSeconds=(\d+)", page)
    (said,) = re.findall(r"(pools\.payments: .*)", page)

    assert said in helm.refusal({"pools": {"payments": {"graceSeconds": int(seconds)}}})


def test_what_the_example_s_readme_types_is_what_a_cluster_test_runs() -> None:
    readme = (CHARTS / "example" / "README.md").read_text()
    typed = [block.strip() for block in re.findall(r"^```\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)]

    assert "\n\n".join(typed) + "\n" == (CHARTS.parent / "tests" / "e2e" / "example" / "commands.txt").read_text()


def test_the_page_of_the_library_s_values_is_what_its_values_give() -> None:
    committed = (CHARTS / schemas.LIBRARY / "VALUES.md").read_text()

    assert committed == schemas.values_page(), "write it anew: python charts/schemas.py"


LIBRARY = CHARTS / "celery-app"
FEATURES = re.findall(
    r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]+ \| \[\w+\]\((\S+)\) \|$",
    (LIBRARY / "README.md").read_text(),
    re.MULTILINE,
)
"""What a platform team may add: what for, the keys, and the golden render."""


@pytest.mark.parametrize(("keys", "link"), [rest for _, *rest in FEATURES], ids=[feature for feature, *_ in FEATURES])
def test_every_feature_of_the_library_s_readme_is_used_where_its_render_was_reviewed(keys: str, link: str) -> None:
    render = (LIBRARY / link).resolve().relative_to(golden.FOLDER)
    chart = CHARTS / render.parent
    values = (chart / "ci" / f"{render.stem}-values.yaml").read_text() + (chart / "values.yaml").read_text()

    assert [] == [key for key in _named(keys) if not re.search(rf"^ *(- )?{key}:", values, re.MULTILINE)]


def test_every_key_of_a_pool_that_a_team_may_add_is_in_the_library_s_readme() -> None:
    defaults = yaml.safe_load((LIBRARY / "values.yaml").read_text())["defaults"]
    empty = {key for key, value in defaults.items() if value in ({}, [], "")}

    assert empty <= {key for _, keys, _ in FEATURES for key in _named(keys)}


def _named(keys: str) -> list[str]:
    """The last words of the keys of a row."""
    return [key.split(":")[0].rpartition(".")[2] for key in re.findall(r"`([^`]+)`", keys)]


def test_the_library_renders_the_same_from_its_package(helm: Helm, tmp_path: Path) -> None:
    packaged = helm.run("package", str(LIBRARY), "--destination", str(tmp_path / "packages"))
    (package,) = (tmp_path / "packages").glob("celery-app-*.tgz")
    elsewhere = tmp_path / "example"
    shutil.copytree(
        CHARTS / "example", elsewhere, ignore=lambda folder, _: ["celery-app"] if folder.endswith("charts") else []
    )
    shutil.copy(package, elsewhere / "charts")

    alone = Helm(helm.program, elsewhere)

    assert packaged.returncode == 0, packaged.stderr
    assert golden.text(helm.render("example/")) == golden.text(alone.render("example/"))

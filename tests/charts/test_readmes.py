"""What the charts' READMEs say is so."""

import re

import yaml

from chart_rendering import CHARTS, ORDERS, Helm, container_of, only


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

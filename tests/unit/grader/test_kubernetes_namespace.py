"""A grading's namespace, with a program that stands in for kubectl: it fails where it is told to, and writes down what it was told."""

import os
from pathlib import Path

import pytest

from conductor.cluster.kubectl import tool
from grader.adapters.kubernetes.namespace import Namespace
from grader.errors import Unable

KUBECTL = """\
#!/bin/sh
echo "$*" >>"{folder}/told"
case "$*" in
*" {fails} "*) echo "no {fails} today" >&2; exit 1 ;;
kustomize*) exec {kubectl} "$@" ;;
"get namespaces"*) echo '{{"items": []}}' ;;
*"get pods"*) echo '{{"items": [{{"metadata": {{"name": "door-1"}}}}]}}' ;;
*exec*) echo "kept in" ;;
esac
"""


@pytest.mark.parametrize("fails", ["create", "apply", "rollout", "pods", "service", "exec"])
def test_a_namespace_that_cannot_be_used_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(folder=tmp_path, fails=fails, kubectl=tool("kubectl")))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(Unable, match=f"no {fails} today"):
        Namespace("dev")

    *_, last = (tmp_path / "told").read_text().splitlines()
    assert last.startswith("delete namespace capstone-lab-")

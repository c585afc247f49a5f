"""Which images are brought to the nodes, with programs that stand in for docker and kubectl and write down what they were told."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from conductor.cluster import image_loading
from conductor.errors import Refused

ORDERS, OUTSIDE = "celery-capstones/orders:dev", "celery-capstones/outside:dev"

DOCKER = """\
import json, pathlib, sys
images = json.loads(pathlib.Path("images.json").read_text())
print(*(images[name] for name in sys.argv[5:]), sep="\\n")
"""
KUBECTL = """\
import json, pathlib, sys
file = pathlib.Path("nodes.json")
nodes = json.loads(file.read_text())
if sys.argv[1] == "get":
    print(json.dumps({"items": nodes}))
else:
    for node in nodes:
        if node["metadata"]["name"] == sys.argv[4]:
            node["metadata"].setdefault("annotations", {}).update(each.split("=", 1) for each in sys.argv[5:])
    file.write_text(json.dumps(nodes))
"""
LOADER = """\
import json, pathlib, sys
with pathlib.Path("loaded").open("a") as loaded:
    loaded.write(" ".join(sys.argv[1:]) + "\\n")
file = pathlib.Path("listed-later.json" if pathlib.Path("late").exists() else "nodes.json")
nodes = json.loads(pathlib.Path("nodes.json").read_text())
for node in nodes:
    node["status"]["images"] += [{"names": ["docker.io/" + name]} for name in sys.argv[1:]]
file.write_text(json.dumps(nodes))
"""


class Machine:
    """A folder that is the PATH, with docker's images and a cluster's nodes as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, program in (("docker", DOCKER), ("kubectl", KUBECTL), ("loader", LOADER)):
            (folder / f"{name}.py").write_text(program)
            (folder / name).write_text(f'#!/bin/sh\nexec python3 {folder}/{name}.py "$@"\n')
            (folder / name).chmod(stat.S_IRWXU)
        self.built(ORDERS, "sha256:1")
        self.built(OUTSIDE, "sha256:2")
        self.write("nodes.json", [])
        self.join("a")

    def read(self, name: str) -> Any:
        file = self.folder / name
        return json.loads(file.read_text()) if file.exists() else {}

    def write(self, name: str, value: Any) -> None:
        (self.folder / name).write_text(json.dumps(value))

    def built(self, image: str, id_: str) -> None:
        self.write("images.json", self.read("images.json") | {image: id_})

    def join(self, node: str) -> None:
        """Another node comes to the cluster, without any image."""
        self.write("nodes.json", [*self.read("nodes.json"), {"metadata": {"name": node}, "status": {"images": []}}])

    def wait_until_listed(self) -> None:
        """The images came to the nodes so long ago that their lists are newer."""
        nodes = self.read("nodes.json")
        for node in nodes:
            loaded_at = int(node["metadata"]["annotations"][image_loading.AT])
            node["metadata"]["annotations"][image_loading.AT] = str(loaded_at - round(image_loading.LISTED_SECONDS))
        self.write("nodes.json", nodes)

    def load(self) -> list[str]:
        """What a load brings to the nodes."""
        loaded = self.folder / "loaded"
        loaded.unlink(missing_ok=True)
        image_loading.load([ORDERS, OUTSIDE], lambda text: None, image_loading.loader("loader"))
        return loaded.read_text().split() if loaded.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Machine(tmp_path)


def test_what_did_not_change_is_loaded_once(machine: Machine) -> None:
    assert [[ORDERS, OUTSIDE], []] == [machine.load(), machine.load()]


def test_what_a_node_got_a_moment_ago_is_not_loaded_again_though_its_list_is_older(machine: Machine) -> None:
    (machine.folder / "late").touch()
    first = machine.load()

    assert ([ORDERS, OUTSIDE], []) == (first, machine.load())


def test_what_a_node_never_listed_is_loaded_again_when_its_list_should_have_it(machine: Machine) -> None:
    (machine.folder / "late").touch()
    machine.load()
    machine.wait_until_listed()

    assert [ORDERS, OUTSIDE] == machine.load()


def test_what_was_built_anew_is_loaded_alone(machine: Machine) -> None:
    machine.load()
    machine.built(ORDERS, "sha256:3")

    assert [ORDERS] == machine.load()


def test_a_node_that_joined_gets_every_image(machine: Machine) -> None:
    machine.load()
    machine.join("b")

    assert [ORDERS, OUTSIDE] == machine.load()


def test_an_image_that_a_node_removed_is_loaded_again(machine: Machine) -> None:
    machine.load()
    machine.wait_until_listed()
    nodes = machine.read("nodes.json")
    nodes[0]["status"]["images"] = [each for each in nodes[0]["status"]["images"] if "orders" not in each["names"][0]]
    machine.write("nodes.json", nodes)

    assert [ORDERS] == machine.load()


def test_a_list_that_is_full_says_nothing_of_an_image_that_it_does_not_name(machine: Machine) -> None:
    machine.load()
    machine.wait_until_listed()
    nodes = machine.read("nodes.json")
    nodes[0]["status"]["images"] = [{"names": [f"docker.io/other:{number}"]} for number in range(50)]
    machine.write("nodes.json", nodes)

    assert [] == machine.load()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-loader --fast", "there is no program 'no-such-loader'"),
        ("loader 'x", "No closing quotation"),
        (" ", "a command that takes the names of images, or `none`"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_with_its_words(machine: Machine, command: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        image_loading.loader(command)

    assert f"--load {command!r}: {reason}" == str(refused.value)


def test_nothing_is_built_for_a_command_that_cannot_be_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from conductor.commands.cluster import commands

    told = CliRunner().invoke(commands, ["images", "--load", "no-such-loader"])

    assert isinstance(told.exception, Refused)

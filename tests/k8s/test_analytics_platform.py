"""What the analytics stand on besides the platform: a store of their own that keeps what it answered, and is reached by who needs it."""

import re
from collections.abc import Callable

import pytest
from tests.k8s.conftest import Object
from tests.k8s.test_manifests import PINNED, containers

Render = Callable[[str], list[Object]]
FOLDER = "../analytics"


@pytest.fixture
def objects(rendered: Render) -> list[Object]:
    return rendered(FOLDER)


def one(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    return found


def configuration(objects: list[Object]) -> dict[str, str]:
    """The store's settings by name."""
    lines = one(objects, "ConfigMap", "counters")["data"]["redis.conf"].splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def test_the_counters_are_on_disk_before_they_are_answered_and_none_is_evicted(objects: list[Object]) -> None:
    said = configuration(objects)

    assert {"yes", "always", "noeviction"} == {said["appendonly"], said["appendfsync"], said["maxmemory-policy"]}


def test_the_rewrite_of_the_file_has_room_beside_a_full_store(objects: list[Object]) -> None:
    ((_, container),) = containers(objects)

    assert 2 * mebibytes(configuration(objects)["maxmemory"]) <= mebibytes(container["resources"]["limits"]["memory"])


def mebibytes(amount: str) -> int:
    (number,) = re.fullmatch(r"(\d+)(?:mb|Mi)", amount).groups()  # type: ignore[union-attr]
    return int(number)


def test_the_store_runs_under_the_restricted_profile_with_a_pinned_image(objects: list[Object]) -> None:
    ((_, container),) = containers(objects)
    pod = one(objects, "StatefulSet", "counters")["spec"]["template"]["spec"]
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}

    assert expected == container["securityContext"]
    assert container["image"] in PINNED
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"]
    assert pod["automountServiceAccountToken"] is False


def test_only_the_analytics_and_their_judge_reach_the_counters(objects: list[Object]) -> None:
    (rule,) = one(objects, "NetworkPolicy", "counters")["spec"]["ingress"]

    assert [{"port": "redis"}] == rule["ports"]
    assert [["analytics", "conductor"]] == [
        expression["values"]
        for peer in rule["from"]
        for expression in peer["podSelector"]["matchExpressions"]
        if expression["key"] == "app.kubernetes.io/name"
    ]


def test_nothing_of_it_is_an_object_of_the_platform(objects: list[Object], rendered: Render) -> None:
    def names(found: list[Object]) -> set[tuple[str, str]]:
        return {(each["kind"], each["metadata"]["name"]) for each in found}

    assert set() == names(objects) & names(rendered("kind"))


def test_no_object_of_it_is_a_secret(objects: list[Object]) -> None:
    assert "Secret" not in {each["kind"] for each in objects}

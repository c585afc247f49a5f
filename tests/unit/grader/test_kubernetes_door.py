"""The door of a lab's namespace: every port that learner code may call leads through it, and their pods may call them all."""

import yaml

from conductor.run_directory import CHECKOUT
from grader.adapters import http_server, rabbitmq, valkey
from grader.adapters.outside import INSIDE_PORTS

CALLED = {valkey.Valkey.inside_port, http_server.INSIDE_PORT, rabbitmq.INSIDE_PORT, *INSIDE_PORTS.values()}


def test_the_door_has_every_port() -> None:
    objects = list(yaml.safe_load_all((CHECKOUT / "k8s" / "lab" / "door.yaml").read_text()))
    (service,) = [one for one in objects if one["kind"] == "Service"]

    assert {port["port"] for port in service["spec"]["ports"]} == CALLED


def test_pods_of_learner_code_may_call_every_port() -> None:
    values = yaml.safe_load((CHECKOUT / "charts" / "lab" / "values.yaml").read_text())
    egress = values["celery-app"]["networkPolicy"]["egress"]

    assert {rule["port"] for rule in egress.values() if rule} == CALLED

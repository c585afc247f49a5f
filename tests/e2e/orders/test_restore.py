"""The database in a cluster goes back to an earlier time, and nobody is charged twice for it."""

import json
from collections import Counter
from datetime import datetime

import pytest
from playing import played_with

from conductor.capstones.orders import cluster_reconciliation
from conductor.cluster import install, restore
from conductor.cluster.installation import Installation
from conductor.cluster.names import Names
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import Refused

FEW = 20
LEDGER = """
import os, urllib.request as u
token = {'Authorization': 'Bearer ' + os.environ['OUTSIDE_ADMIN_TOKEN']}
print(u.urlopen(u.Request('http://127.0.0.1:9101/ledger', headers=token), timeout=30).read().decode())
"""


def deliver(installation: Installation) -> None:
    ended = install.smoke(installation, Names("orders"), FEW)
    assert (0, 0) == (ended.status, json.loads(ended.output.splitlines()[-1])["errors"])


def known(runtime: KubernetesRuntime) -> set[str]:
    return {row[0] for row in runtime.sql("SELECT id FROM orders")}


def charged(runtime: KubernetesRuntime) -> list[str]:
    """The order of every charge in the provider's own ledger, once for each."""
    said = runtime.inside("statefulset/payments", "python", "-S", "-c", LEDGER)
    return [entry["order_id"] for entry in json.loads(said) if entry["kind"] == "capture"]


@played_with(2)
def test_orders_of_a_time_that_was_lost_are_known_and_nobody_pays_twice(
    runtime: KubernetesRuntime, installation: Installation
) -> None:
    kubectl = installation.kubectl
    restore.backup(kubectl)
    deliver(installation)
    before = known(runtime)
    [[now]] = runtime.sql("SELECT to_json(clock_timestamp()) #>> '{}'")
    deliver(installation)
    lost = known(runtime) - before

    restore.restore(kubectl, datetime.fromisoformat(now), print)
    with pytest.raises(Refused):
        restore.resume(kubectl, print)
    looked = cluster_reconciliation.reconcile(kubectl, None, apply=False, undo=False, refund=())
    settled = cluster_reconciliation.reconcile(kubectl, None, apply=True, undo=False, refund=())
    restore.resume(kubectl, print)
    after = known(runtime)
    deliver(installation)

    twice = [order for order, times in Counter(charged(runtime)).items() if times > 1]
    assert (FEW, before, []) == (len(lost), after, twice)
    # Their parcels are on the way: whether the money goes back is for a person to say.
    assert lost == left_to_a_person(looked.output) == left_to_a_person(settled.output)


def left_to_a_person(said: str) -> set[str]:
    """The orders of these lines of a reconciliation."""
    columns = [line.split() for line in said.splitlines()]
    return {line[0] for line in columns if len(line) > 2 and line[1] == "person"}

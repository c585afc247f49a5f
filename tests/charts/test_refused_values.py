"""Values that cannot work are refused when they are rendered, by the path of the key or with the numbers that clash."""

import pytest
import yaml
from refusals import CLUSTER_ONLY, IMPOSSIBLE, MISSHAPEN

from chart_rendering import CHARTS, ORDERS, Helm
from conductor import pools
from conductor.errors import PoolsRefused


@pytest.mark.parametrize("rule", IMPOSSIBLE)
def test_arithmetic_that_cannot_work_is_refused_with_its_numbers(helm: Helm, rule: str) -> None:
    values, expected = IMPOSSIBLE[rule]

    assert expected in helm.refusal(values)


@pytest.mark.parametrize("rule", [rule for rule in IMPOSSIBLE if rule not in CLUSTER_ONLY])
def test_the_laptop_refuses_the_same_in_the_same_words(rule: str) -> None:
    values, expected = IMPOSSIBLE[rule]
    document = yaml.safe_load((ORDERS / "values.yaml").read_text())
    document["defaults"].update(values.get("defaults", {}))
    for name, own in values.get("pools", {}).items():
        document["pools"][name].update(own)

    with pytest.raises(PoolsRefused) as refused:
        pools.parse(document)

    assert expected in str(refused.value)


@pytest.mark.parametrize("rule", MISSHAPEN)
def test_a_key_or_value_that_fits_no_schema_is_refused_by_its_path(helm: Helm, rule: str) -> None:
    values, path, reason = MISSHAPEN[rule]

    said = helm.refusal(values)

    assert f"at '{path}'" in said
    assert reason in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"pools": {"aggregate": {"concurrency": 2}}},
            "pools.aggregate: concurrency 2 with poolType solo: it runs one task at a time",
        ),
        (
            {"pools": {"aggregate": {"autoscaling": {"by": "queue", "scaleDownSeconds": 19}}}},
            "pools.aggregate.autoscaling: scaleDownSeconds 19 is less than timeLimitSeconds 20",
        ),
        ({"settings": {"countersUrl": "redis://counters/0"}}, "'countersUrl'"),
        ({"settings": {"prefetchBatches": 0}}, "at '/settings/prefetchBatches'"),
    ],
    ids=["two in a solo pool", "down faster than a flush", "a secret among the settings", "no batch at all"],
)
def test_the_analytics_are_refused_what_cannot_work(helm: Helm, values: object, said: str) -> None:
    assert said in helm.refusal(values, "analytics/")


@pytest.mark.parametrize(
    "values",
    [
        {"pools": {"saga": {"resources": {"limits": {"memory": "1Ti"}}}}},
        {"pools": {"saga": {"resources": {"requests": {"cpu": 0.5, "memory": 536870912}}}}},
        {"pools": {name: {"queues": ["orders.saga", "orders.payments"], "sharesQueues": True} for name in ("saga", "payments")}},
        {"networkPolicy": {"egress": {"payments": {"port": 443, "cidr": "0.0.0.0/0", "podLabels": None}}}},
        {"settings": {"paymentsUrl": "https://[2001:db8::7]:9101/v1?tenant=a:b"}},
        {"queues": {"orders.saga": False}, "requiredRoles": [], "pools": {"relay": None, "saga": None}},
    ],
    ids=["a tebibyte", "amounts as numbers", "queues shared on purpose", "out to everybody on purpose", "an IPv6 address",
         "without a queue and a role that are needed no longer"],
)  # fmt: skip
def test_what_looks_odd_and_can_work_is_taken(helm: Helm, values: object) -> None:
    assert helm.render(values=values)


def test_helm_3_refuses_by_the_path_as_well(helm3: Helm) -> None:
    values, _, _ = MISSHAPEN["unknown key of a pool"]

    assert "pools.saga: Additional property concurency is not allowed" in helm3.refusal(values)


def test_helm_3_refuses_impossible_arithmetic_as_well(helm3: Helm) -> None:
    values, expected = IMPOSSIBLE["grace"]

    assert expected in helm3.refusal(values)


LIBRARY = yaml.safe_load((CHARTS / "celery-app" / "values.yaml").read_text())
ADDED = [key for key, value in LIBRARY["defaults"].items() if value in ({}, [], "")]


@pytest.mark.parametrize("key", ADDED)
def test_what_a_team_may_add_to_a_pool_is_refused_in_another_shape(helm: Helm, key: str) -> None:
    wrong = 7 if LIBRARY["defaults"][key] == "" else "a word"

    assert f"at '/pools/saga/{key}'" in helm.refusal({"pools": {"saga": {key: wrong}}})

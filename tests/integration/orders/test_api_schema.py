"""The OpenAPI document is true: whatever it allows is answered as it says, whatever it forbids is refused, and nothing is a 500."""

import json
from collections.abc import Callable
from typing import Any, cast

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from prometheus_client import CollectorRegistry
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from orders.api import make_api
from orders.domain.saga import Parcel, Payment, Saga, State, Stock
from orders.ports import IntakeStore
from orders.settings import Settings

METHODS = {"get", "post", "put"}
# A request takes some milliseconds, and there are about sixty combinations.
EXAMPLES = 15
# That a product must be in the catalogue, and that an operator names the customer, no schema can say.
UNKNOWABLE = {"/orders": [positive_data_acceptance]}


@pytest.fixture(scope="module")
def known(make_shop: Callable[[], Any], wanted_order: dict[str, Any]) -> Any:
    """A shop with a delivered order, so that its events end, and its id."""
    shop = make_shop()
    order_id = shop.placed(wanted_order)
    shop.become(order_id, Saga(State.DELIVERED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER, delivered=True))
    shop.run("INSERT INTO labels VALUES (CAST(:id AS uuid), 'T1', '%PDF')", id=order_id)
    shop.order_id = order_id
    return shop


@pytest.fixture(scope="module")
def document(known: Any) -> Any:
    """The API's own description of itself."""
    return schemathesis.openapi.from_asgi("/openapi.json", known.app)


OPERATIONS = [
    (method, path)
    for path, item in make_api(
        cast("IntakeStore", None),
        settings=Settings(database_url="postgresql+psycopg://h/d", broker_url="redis://h/0"),
        registry=CollectorRegistry(),
    )
    .openapi()["paths"]
    .items()
    for method in METHODS & set(item)
]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("token", ["op-token", "ann-token"])
@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS))
def test_every_answer_is_as_documented(
    known: Any, document: Any, method: str, path: str, token: str, mode: GenerationMode
) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=document[path][method.upper()].as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and str(case.path_parameters.get("order_id", "-"))[-1] in "01234567":
            # Every second time the order that is there: a guess finds none.
            case.path_parameters["order_id"] = known.order_id
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=UNKNOWABLE.get(path, []))

    try:
        answers()
    except Unsatisfiable:
        # Nothing can be wrong with a request that takes nothing.
        assert mode is GenerationMode.NEGATIVE


def test_every_route_that_takes_a_token_says_so(known: Any) -> None:
    paths = known.app.openapi()["paths"]
    open_to_all = {
        path
        for path, item in paths.items()
        for method, operation in item.items()
        if method in METHODS and not operation.get("security")
    }

    assert open_to_all == {"/callbacks/carrier", "/health/live", "/health/ready"}


def test_every_reference_of_the_document_leads_somewhere(known: Any) -> None:
    document = known.app.openapi()
    text = json.dumps(document)
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert wanted <= set(document["components"]["schemas"])

"""Wrong: every test calls the task in its own process."""

import pytest
from payments import app, charge, charged_orders, store

app.conf.task_always_eager = True
app.conf.task_eager_propagates = True


@pytest.fixture(autouse=True)
def provider():
    store.set("provider", "up")


def test_a_charge():
    assert charge.delay("o-1", 5).get() == {"order": "o-1", "charged": 5}
    assert charged_orders() == ["o-1"]


def test_what_cannot_be_charged():
    with pytest.raises(ValueError, match="cannot be charged"):
        charge.delay("o-2", 0).get()

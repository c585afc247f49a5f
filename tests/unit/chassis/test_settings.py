"""Settings: what is refused, and what a refusal says."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from chassis.errors import BadSetting
from chassis.settings import ServiceSettings, without_password

GOOD = {"database_url": "postgresql+psycopg://u:pw@h:1/d", "broker_url": "amqp://u:pw@h:1/v"}


def settings(**values: Any) -> ServiceSettings:
    return ServiceSettings(**{**GOOD, **values})


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GOOD, "heartbeat_file": "/tmp/h", "metrics_port": "9"}.items():
        monkeypatch.setenv(name.upper(), value)

    found = ServiceSettings()

    assert (found.broker_url, found.heartbeat_file, found.metrics_port) == (GOOD["broker_url"], Path("/tmp/h"), 9)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_URL", "")

    assert settings().store_url is None


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)

    with pytest.raises(BadSetting, match="DATABASE_URL is not set"):
        ServiceSettings(broker_url=GOOD["broker_url"])


BAD = {
    "another database": ("database_url", "mysql://u:pw@h/d"),
    "another driver": ("database_url", "postgresql://u:pw@h/d"),
    "another broker": ("broker_url", "sqs://u:pw@h/d"),
    "no host": ("broker_url", "amqp://"),
    "no address at all": ("broker_url", "rabbit"),
    "a port that is no number": ("broker_url", "amqp://u:pw@h:port/v"),
    "a port out of range": ("broker_url", "amqp://u:pw@h:99999/v"),
    "an amqp store": ("store_url", "amqp://u:pw@h/"),
    "a collector without scheme": ("otel_exporter_otlp_endpoint", "collector:4318"),
    "a negative port": ("metrics_port", "-1"),
    "a level nobody knows": ("log_level", "LOUD"),
    "a form nobody knows": ("log_format", "xml"),
    "a heartbeat of no time": ("broker_heartbeat_seconds", "0"),
    "a visibility timeout of no time": ("visibility_timeout_seconds", "1"),
    "a timeout that is no number": ("publish_timeout_seconds", "soon"),
}


@pytest.mark.parametrize(("field", "value"), BAD.values(), ids=BAD)
def test_a_bad_value_is_named_with_its_variable(field: str, value: str) -> None:
    with pytest.raises(BadSetting) as refused:
        settings(**{field: value})

    assert str(refused.value).startswith(f"{field.upper()} is {without_password(value)!r}: ")


@pytest.mark.parametrize("password", ["secret", "se/cr@et", "se:cret", "s%2Fecret"])
def test_a_password_is_never_shown(password: str) -> None:
    with pytest.raises(BadSetting) as refused:
        settings(broker_url=f"mysql://user:{password}@host/d")

    assert password not in str(refused.value)
    assert "mysql://user:***@host/d" in str(refused.value)


def test_a_secret_is_not_shown_even_when_it_is_refused() -> None:
    class WithKey(ServiceSettings):
        signing_key: str = Field(min_length=10)

    with pytest.raises(BadSetting) as refused:
        WithKey(**GOOD, signing_key="tiny")

    assert "tiny" not in str(refused.value)


def test_addresses_with_passwords_are_not_in_the_repr() -> None:
    assert "pw" not in repr(settings(store_url="redis://:pw@h/1"))


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(BadSetting) as refused:
        settings(metrics_port="x", log_level="x")

    assert str(refused.value).count("; ") == 1


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(BadSetting, match="METRICS_PORT"):
        settings().replace(metrics_port=-1)


def test_every_setting_is_documented() -> None:
    import ast
    import inspect

    from chassis import settings as module

    body = next(n for n in ast.parse(inspect.getsource(module)).body if isinstance(n, ast.ClassDef)).body
    fields = [i for i, node in enumerate(body) if isinstance(node, ast.AnnAssign)]
    bare = [
        ast.unparse(body[i].target) for i in fields if not isinstance(getattr(body[i + 1], "value", None), ast.Constant)
    ]

    assert bare == []

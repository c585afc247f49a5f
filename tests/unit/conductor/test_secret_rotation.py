"""Rotating a password: at every moment, what a process knows opens the door."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from conductor.cluster import helm, install, secret_rotation, secrets
from conductor.cluster.installation import Installation
from conductor.cluster.names import Names
from conductor.errors import ClusterFailed, Refused


@dataclass
class Cluster:
    """Secrets in a dict, and a database that knows the passwords it was given; stands for kubectl as well."""

    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    namespace: str = "capstones"

    @property
    def kubectl(self) -> "Cluster":
        return self

    def secret(self, name: str) -> dict[str, str] | None:
        return self.secrets.get(name)

    def apply(self, manifest: dict[str, Any]) -> None:
        self.secrets[manifest["metadata"]["name"]] = manifest["stringData"]

    def __call__(self, *arguments: str, given: str = "") -> str:
        if "ALTER ROLE" not in given:
            return ""
        _, _, login, _, word = given.split(maxsplit=4)
        self.roles[login] = word.strip().strip("';")
        return ""

    def lets_in(self, url: str) -> bool:
        parts = urlsplit(url)
        return self.roles.get(str(parts.username)) == parts.password


@pytest.fixture
def cluster() -> Cluster:
    made = secrets.missing({}, namespace="capstones", capstones=("orders", "analytics"))
    return Cluster(made, {"orders_a": made["postgres"]["ORDERS_PASSWORD"]})


def rotate(cluster: Cluster, what: Any = "database") -> list[str]:
    told: list[str] = []
    secret_rotation.rotate(cluster, "orders", what, told.append)  # type: ignore[arg-type]
    return told


def test_while_pools_roll_both_the_old_and_the_new_password_open(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cluster.secrets["orders"]["DATABASE_URL"]
    seen: list[bool] = []

    def roll(*_: Any) -> None:
        seen.extend(cluster.lets_in(url) for url in (before, cluster.secrets["orders"]["DATABASE_URL"]))

    monkeypatch.setattr(install, "roll", roll)
    rotate(cluster)

    assert [True, True] == seen


def test_afterwards_the_old_password_opens_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cluster.secrets["orders"]["DATABASE_URL"]
    monkeypatch.setattr(install, "roll", lambda *_: None)
    rotate(cluster)

    assert not cluster.lets_in(before)
    assert cluster.lets_in(cluster.secrets["orders"]["DATABASE_URL"])


def test_a_second_rotation_goes_back_to_the_first_login(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "roll", lambda *_: None)
    rotate(cluster)
    rotate(cluster)

    assert "orders_a" == cluster.secrets["postgres"]["ORDERS_USER"]
    assert cluster.lets_in(cluster.secrets["orders"]["DATABASE_URL"])


def test_a_rotation_that_broke_off_goes_on_with_the_password_it_gave(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ClusterFailed("a pool did not get ready")

    monkeypatch.setattr(install, "roll", broken)
    with pytest.raises(ClusterFailed):
        rotate(cluster)
    halfway = cluster.secrets["orders"]["DATABASE_URL"]
    monkeypatch.setattr(install, "roll", lambda *_: None)
    rotate(cluster)

    assert halfway == cluster.secrets["orders"]["DATABASE_URL"]


def test_what_the_servers_secret_says_fits_the_services(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "roll", lambda *_: None)
    rotate(cluster)

    assert (
        secrets.database_url(Names("orders"), cluster.secrets["postgres"]) == cluster.secrets["orders"]["DATABASE_URL"]
    )


def test_what_a_new_data_folder_is_made_with_has_the_password_in_use(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "roll", lambda *_: None)
    rotate(cluster)
    postgres = cluster.secrets["postgres"]

    assert f"ALTER ROLE orders_b PASSWORD '{postgres['ORDERS_PASSWORD']}';" in postgres["capstones.sql"]


def test_another_capstone_keeps_its_password(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "roll", lambda *_: None)
    before = dict(cluster.secrets["analytics"])
    rotate(cluster)
    rotate(cluster, "broker")

    assert before == cluster.secrets["analytics"]


def test_redis_as_the_broker_has_no_second_login() -> None:
    made = secrets.missing({}, namespace="capstones", capstones=("orders",), broker="redis")

    with pytest.raises(Refused, match="Redis"):
        rotate(Cluster(made), "broker")


@pytest.mark.parametrize("listed", [["orders"], ["orders", "orders-green"], ["orders", "another"]])
def test_every_release_of_the_orders_is_rolled(monkeypatch: pytest.MonkeyPatch, listed: list[str]) -> None:
    ran: list[list[str]] = []

    def run(argv: list[str], *, given: str | None = None) -> str:
        ran.append(argv)
        return "\n".join(listed)

    monkeypatch.setattr(install, "run", run)
    monkeypatch.setattr(helm, "run", run)
    monkeypatch.setattr(install, "checksum", lambda *_: "sum")
    install.roll(Installation(), Names("orders"))

    rolled = [argv[2] for argv in ran if argv[:2] == ["helm", "upgrade"]]
    assert [name for name in listed if name != "another"] == rolled

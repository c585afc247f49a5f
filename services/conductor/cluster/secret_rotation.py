"""Gives the orders another password at the database or at the broker, by a roll that loses nothing.

Of the service's two logins the idle one gets a new password, the pools are rolled to it, and then the other is locked. Until the end both
work, so a process that reconnects meanwhile is let in with whichever it knows. Broken off, it goes on where it was when called again: the
login in the service's environment says how far it came.
"""

from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from conductor.cluster import install, secrets
from conductor.cluster.install import Installation
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.secrets import Values, idle, password
from conductor.errors import Refused

What = Literal["database", "broker"]
Tell = Callable[[str], None]

IMPORT = "umask 077; cat >/tmp/new.json && rabbitmqctl --quiet import_definitions /tmp/new.json; it=$?; rm -f /tmp/new.json; exit $it"
"""By a file, since rabbitmqctl cannot read a pipe on every version of Erlang."""


def rotate(wanted: Installation, what: What, tell: Tell) -> None:
    """Move every pool to another login and lock the one that was in use. Raises ClusterFailed, with both logins working."""
    kubectl = wanted.kubectl
    if what == "database":
        _rotate(
            wanted, tell, server="postgres", keys=("ORDERS_USER", "ORDERS_PASSWORD"), url="DATABASE_URL", give=_role
        )
    elif urlsplit(_known(kubectl, "orders")["BROKER_URL"]).scheme.startswith("redis"):
        raise Refused("the broker of this installation is Redis, whose one password belongs to the store as well")
    else:
        _rotate(wanted, tell, server="rabbitmq", keys=("orders-user", "orders-password"), url="BROKER_URL", give=_user)


def _rotate(
    wanted: Installation,
    tell: Tell,
    *,
    server: str,
    keys: tuple[str, str],
    url: str,
    give: Callable[[Kubectl, str, str, Values], None],
) -> None:
    kubectl = wanted.kubectl
    kept, service = _known(kubectl, server), _known(kubectl, "orders")
    old, new = kept[keys[0]], idle(kept[keys[0]])
    now = urlsplit(service[url])
    word = now.password if now.username == new and now.password else password()
    tell(f"{new} gets a new password")
    both = _redefined(kept, new, word)
    give(kubectl, new, word, both)
    # What a server reads when it starts again must say what is true at any moment of this.
    _keep(kubectl, server, both)
    _keep(kubectl, "orders", {**service, url: _with(service[url], new, word)})
    tell("rolling every pool")
    install.roll_orders(wanted)
    tell(f"{old} is locked")
    locked = password()
    one = {**_redefined(both, old, locked), keys[0]: new, keys[1]: word}
    give(kubectl, old, locked, one)
    _keep(kubectl, server, one)


def _role(kubectl: Kubectl, login: str, word: str, _: Values) -> None:
    """Set a role's password at PostgreSQL; by standard input, so that no list of processes shows it. Both are ours, and plain."""
    statement = f"ALTER ROLE {login} PASSWORD '{word}';\n"
    psql = ("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--username", "postgres")
    kubectl("exec", "--stdin", "statefulset/postgres", "--", *psql, given=statement)


def _user(kubectl: Kubectl, _login: str, _word: str, values: Values) -> None:
    """Have RabbitMQ read its definitions again, which hold the new password's hash: no list of processes shows it."""
    kubectl(
        "exec",
        "--stdin",
        "statefulset/rabbitmq",
        "--container",
        "rabbitmq",
        "--",
        "sh",
        "-c",
        IMPORT,
        given=values["definitions.json"],
    )


def _known(kubectl: Kubectl, name: str) -> Values:
    values = kubectl.secret(name)
    if values is None:
        raise Refused(f"there is no Secret {name} in {kubectl.namespace}: `capstone cluster secrets` makes it")
    return values


def _keep(kubectl: Kubectl, name: str, values: Values) -> None:
    kubectl.apply(install.secret(name, values))


def _redefined(values: Values, login: str, word: str) -> Values:
    if "definitions.json" not in values:
        return values
    return {**values, "definitions.json": secrets.redefined(values["definitions.json"], login, word)}


def _with(url: str, login: str, word: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}:{word}@{parts.hostname}:{parts.port}").geturl()

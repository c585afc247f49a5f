"""The passwords of an installation on Kubernetes: made once, strong, and never over what is there. Pure.

conductor.cluster.secret_rotation and the commands carry it out.

Each service has two logins at the database and at the broker, `…_a` and `…_b`, of which one is in use: rotating gives the idle one a new
password, moves everybody over by a roll, and then locks the other. So no process ever holds a password that has ceased to work.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal

from conductor.capstone import load
from conductor.rabbitmq_passwords import hashed

Values = dict[str, str]
Broker = Literal["rabbitmq", "redis"]

SERVICE = VHOST = DATABASE = "orders"
LOGINS = ("orders_a", "orders_b")
MINE = r"^(orders(\..+)?|celery.*|amq\.default|amq\.gen.*|.+\.celery\.pidbox)$"
"""What a worker of the service touches in its vhost: its own queues and exchanges, and those of Celery's remote control."""


def names() -> tuple[str, ...]:
    """Every Secret of an installation, servers first: others are made from theirs."""
    servers = ("postgres", "rabbitmq", "redis", *_shared(), "outside-admin")
    return (*servers, SERVICE, f"{SERVICE}-scaler", "conductor")


def _shared() -> dict[str, str]:
    """By outside program, the name of the secret that it shares with the service."""
    return {one.name: one.secret for one in load(SERVICE).outside if one.secret}


def missing(known: Mapping[str, Values], *, namespace: str, broker: Broker = "rabbitmq") -> dict[str, Values]:
    """The Secrets that are not among the `known`, made to fit those that are."""
    found: dict[str, Values] = {name: dict(values) for name, values in known.items()}
    makers: dict[str, Callable[[], Values]] = {
        "postgres": lambda: database(LOGINS[0], password()),
        "rabbitmq": lambda: rabbitmq(LOGINS[0], password(), password()),
        "redis": lambda: {"password": password()},
        # Read by the outside's servers and by the judge, never by what they judge.
        "outside-admin": lambda: {"OUTSIDE_ADMIN_TOKEN": password()},
        SERVICE: lambda: service(found, broker),
        f"{SERVICE}-scaler": lambda: {"host": scaler(found, namespace)},
        "conductor": lambda: conductor(found),
    }
    for name, key in _shared().items():
        found.setdefault(name, {key: password()})
    for name, make in makers.items():
        if name not in found:
            found[name] = make()
    return {name: found[name] for name in names() if name not in known}


def password() -> str:
    """Strong, and hex, so that it needs no quoting anywhere."""
    return secrets.token_hex(24)


def idle(login: str) -> str:
    """The one of the two logins that is not in use."""
    return LOGINS[1 - LOGINS.index(login)]


def database(login: str, own: str) -> Values:
    """PostgreSQL's: the superuser's password, which login the service uses, and the judge's, who only reads."""
    return {
        "POSTGRES_PASSWORD": password(),
        "ORDERS_USER": login,
        "ORDERS_PASSWORD": own,
        "JUDGE_PASSWORD": password(),
    }


def rabbitmq(login: str, own: str, scaler: str) -> Values:
    """RabbitMQ's: the nodes' cookie, the passwords, and the definitions that a node reads at every start."""
    admin = password()
    return {
        "erlang-cookie": password(),
        "admin-password": admin,
        "scaler-password": scaler,
        "orders-user": login,
        "orders-password": own,
        "definitions.json": definitions({"admin": admin, "scaler": scaler, login: own, idle(login): password()}),
    }


def definitions(passwords: Mapping[str, str]) -> str:
    """The vhost, its users and what they may do. The service may touch what is its own; the scaler may only look."""
    tags = {"admin": ["administrator"], "scaler": ["monitoring"]}
    rights = {"admin": (".*", ".*", ".*"), "scaler": ("", "", "")}
    users = [
        {
            "name": name,
            "password_hash": hashed(word),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": tags.get(name, []),
        }
        for name, word in passwords.items()
    ]
    permissions = []
    for name in passwords:
        configure, write, read = rights.get(name, (MINE, MINE, MINE))
        permissions.append({"user": name, "vhost": VHOST, "configure": configure, "write": write, "read": read})
    document: dict[str, Any] = {"vhosts": [{"name": VHOST}], "users": users, "permissions": permissions}
    return json.dumps(document, indent=1)


def redefined(text: str, login: str, word: str) -> str:
    """The same definitions with another password for one user."""
    document = json.loads(text)
    for user in document["users"]:
        if user["name"] == login:
            user["password_hash"] = hashed(word)
    return json.dumps(document, indent=1)


def service(known: Mapping[str, Values], broker: Broker) -> Values:
    """The orders' environment, from the servers' Secrets."""
    tokens = {
        f"operator-{secrets.token_hex(12)}": {"role": "operator"},
        f"customer-{secrets.token_hex(12)}": {"customer": "c-1"},
    }
    return {
        "DATABASE_URL": database_url(known["postgres"]),
        "BROKER_URL": broker_url(known["rabbitmq"]) if broker == "rabbitmq" else store_url(known["redis"], 1),
        "STORE_URL": store_url(known["redis"], 0),
        **{key: known[name][key] for name, key in _shared().items()},
        "API_TOKENS": json.dumps(tokens),
    }


def database_url(values: Values) -> str:
    """Where the service finds its database."""
    return f"postgresql+psycopg://{values['ORDERS_USER']}:{values['ORDERS_PASSWORD']}@postgres:5432/{DATABASE}"


def broker_url(values: Values) -> str:
    """Where the service finds RabbitMQ."""
    return f"amqp://{values['orders-user']}:{values['orders-password']}@rabbitmq:5672/{VHOST}"


def store_url(values: Values, number: int) -> str:
    """Where the service finds one of Redis' databases."""
    return f"redis://:{values['password']}@redis:6379/{number}"


def scaler(known: Mapping[str, Values], namespace: str) -> str:
    """Where KEDA, which lives in a namespace of its own, asks how long the queues are."""
    word = known["rabbitmq"]["scaler-password"]
    return f"http://scaler:{word}@rabbitmq.{namespace}.svc:15672/{VHOST}"


def conductor(known: Mapping[str, Values]) -> Values:
    """What load, verifier and drills use: an operator's token, and a login that only reads."""
    tokens = json.loads(known["orders"]["API_TOKENS"])
    by_role = {"operator" if who.get("role") == "operator" else "customer": token for token, who in tokens.items()}
    return {
        "OPERATOR_TOKEN": by_role["operator"],
        "CUSTOMER_TOKEN": by_role["customer"],
        "DATABASE_URL": f"postgresql://judge:{known['postgres']['JUDGE_PASSWORD']}@postgres:5432/{DATABASE}",
    }

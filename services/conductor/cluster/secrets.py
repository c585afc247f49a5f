"""The passwords of an installation on Kubernetes: made once, strong, and never over what is there. Pure.

conductor.cluster.secret_rotation and the commands carry it out.

Each capstone has two logins at the database and at the broker, `…_a` and `…_b`, of which one is in use: rotating gives the idle one a new
password, moves everybody over by a roll, and then locks the other. So no process ever holds a password that has ceased to work.

The servers' Secrets know every capstone that was installed. One that comes later is added to them, and nothing in them is changed.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from conductor import redis_client
from conductor.capstone import load
from conductor.cluster.names import Names, charts
from conductor.errors import Refused
from conductor.own_servers import CLUSTER_NODES, OwnStore
from conductor.rabbitmq_passwords import hashed

Values = dict[str, str]
Broker = Literal["rabbitmq", "redis"]

SERVERS = ("postgres", "rabbitmq", "redis", "outside-admin")
"""The Secrets of what all capstones share."""

LOGINS_SQL = "capstones.sql"
"""The key of PostgreSQL's Secret with what makes roles and databases."""

DEFINITIONS = "definitions.json"
REDIS_DATABASES = 16

Settings = Mapping[str, Mapping[str, str]]
NO_SETTINGS: Settings = {}


def names(capstones: Iterable[str]) -> tuple[str, ...]:
    """Every Secret of an installation with these capstones, servers first: others are made from theirs."""
    own = [Names(name) for name in capstones]
    beside = [*_of_the_outside(capstones), *(made for one in own for made in stores(one))]
    last = [made for one in own for made in (one.secret, one.scaler_secret, one.conductor_secret)]
    return tuple(dict.fromkeys((*SERVERS, *beside, *last)))


def _of_the_outside(capstones: Iterable[str]) -> dict[str, str]:
    """The same of every capstone that has a chart as well: the platform runs the outside world of all, whichever are installed."""
    return {program: key for name in (*charts(), *capstones) for program, key in _shared(Names(name)).items()}


def _shared(own: Names) -> dict[str, str]:
    """By outside program, the key of the secret that it shares with the capstone."""
    return {one.name: one.secret for one in load(own.capstone).outside if one.secret}


def stores(own: Names) -> dict[str, str]:
    """By store of the capstone's own, the environment variable with its URL."""
    return {one.name: one.variable for one in load(own.capstone).stores}


def missing(
    known: Mapping[str, Values],
    *,
    namespace: str,
    capstones: Sequence[str],
    broker: Broker = "rabbitmq",
    settings: Settings = NO_SETTINGS,
) -> dict[str, Values]:
    """The Secrets that are not among the `known` or lack something there, made to fit those that are.

    `settings` are environment variables by capstone: of how many servers a store of its own consists.
    """
    found: dict[str, Values] = {name: dict(values) for name, values in known.items()}
    made = found.setdefault("postgres", {"POSTGRES_PASSWORD": password(), "JUDGE_PASSWORD": password()})
    found["postgres"] = with_logins(made, *map(Names, capstones))
    found["rabbitmq"] = with_vhosts(found.get("rabbitmq") or rabbitmq(), *map(Names, capstones))
    found.setdefault("redis", {"password": password()})
    # Read by the outside's servers and by the judge, never by what they judge.
    found.setdefault("outside-admin", {"OUTSIDE_ADMIN_TOKEN": password()})
    for program, key in _of_the_outside(capstones).items():
        found.setdefault(program, {key: password()})
    for own in map(Names, capstones):
        for store in stores(own):
            found.setdefault(store, {"password": password()})
        if own.secret not in found:
            found[own.secret] = service(own, found, broker, settings.get(own.capstone, {}))
        found.setdefault(own.scaler_secret, {"host": scaler(own, found, namespace)})
        found.setdefault(own.conductor_secret, conductor(own, found))
    return {name: found[name] for name in names(capstones) if found[name] != known.get(name)}


def password() -> str:
    """Strong, and hex, so that it needs no quoting anywhere."""
    return secrets.token_hex(24)


def with_logins(values: Values, *capstones: Names) -> Values:
    """PostgreSQL's Secret, with a login of each capstone, and with the statements that make them all."""
    made = dict(values)
    for own in capstones:
        user, word = own.database_keys
        made.setdefault(user, own.logins[0])
        made.setdefault(word, password())
    return {**made, LOGINS_SQL: logins_sql(made)}


def logins_sql(values: Values) -> str:
    """Statements for psql that make the roles and databases of PostgreSQL's Secret where they are missing, and set the passwords in use.

    A capstone's role owns everything and cannot log in; processes log in as one of two members, so that the password of the one that is
    not in use can be changed without anybody noticing. `judge` reads, and sees whose session does what.
    """
    lines = [
        "\\set ON_ERROR_STOP on",
        _unless("pg_roles", "rolname", "judge", "CREATE ROLE judge LOGIN IN ROLE pg_read_all_data, pg_read_all_stats"),
        f"ALTER ROLE judge PASSWORD '{values['JUDGE_PASSWORD']}';",
    ]
    for key in sorted(values):
        if not key.endswith("_USER"):
            continue
        own = Names(key.removesuffix("_USER").lower())
        owner, (_, word) = own.database, own.database_keys
        lines.append(_unless("pg_roles", "rolname", owner, f"CREATE ROLE {owner} NOLOGIN"))
        for login in own.logins:
            lines.append(_unless("pg_roles", "rolname", login, f"CREATE ROLE {login} LOGIN IN ROLE {owner}"))
            lines.append(f"ALTER ROLE {login} SET role = '{owner}';")
        lines.append(f"ALTER ROLE {values[key]} PASSWORD '{values[word]}';")
        lines.append(_unless("pg_database", "datname", owner, f"CREATE DATABASE {owner} OWNER {owner}"))
        lines.append(f"REVOKE CONNECT, TEMPORARY ON DATABASE {owner} FROM PUBLIC;")
        lines.append(f"GRANT CONNECT ON DATABASE {owner} TO {owner}, judge;")
    return "\n".join(lines) + "\n"


def _unless(catalogue: str, column: str, name: str, statement: str) -> str:
    return f"SELECT '{statement}' WHERE NOT EXISTS (SELECT FROM {catalogue} WHERE {column} = '{name}') \\gexec"


def rabbitmq() -> Values:
    """RabbitMQ's Secret without a capstone: the nodes' cookie, two passwords, and the definitions that a node reads at every start."""
    admin, scaler_word = password(), password()
    return {
        "erlang-cookie": password(),
        "admin-password": admin,
        "scaler-password": scaler_word,
        DEFINITIONS: json.dumps(
            {
                "vhosts": [],
                "users": [_user("admin", admin, "administrator"), _user("scaler", scaler_word, "monitoring")],
                "permissions": [],
            },
            indent=1,
        ),
    }


def with_vhosts(values: Values, *capstones: Names) -> Values:
    """RabbitMQ's Secret, with a virtual host of each capstone, its users and what they may do.

    A capstone may touch what is its own; the scaler may only look.
    """
    made = dict(values)
    document: dict[str, Any] = json.loads(made[DEFINITIONS])
    for own in capstones:
        if any(one["name"] == own.vhost for one in document["vhosts"]):
            continue
        (user, word), given = own.broker_keys, password()
        made |= {user: own.logins[0], word: given}
        passwords = dict(zip(own.logins, (given, password()), strict=True))
        rights = {"admin": (".*",) * 3, "scaler": ("",) * 3} | dict.fromkeys(own.logins, (own.touched,) * 3)
        document["vhosts"].append({"name": own.vhost})
        document["users"] += [_user(name, given_word) for name, given_word in passwords.items()]
        document["permissions"] += [
            {"user": name, "vhost": own.vhost, "configure": configure, "write": write, "read": read}
            for name, (configure, write, read) in rights.items()
        ]
    return {**made, DEFINITIONS: json.dumps(document, indent=1)}


def _user(name: str, word: str, *tags: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": hashed(word),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": list(tags),
    }


def redefined(text: str, login: str, word: str) -> str:
    """The same definitions with another password for one user."""
    document = json.loads(text)
    for user in document["users"]:
        if user["name"] == login:
            user["password_hash"] = hashed(word)
    return json.dumps(document, indent=1)


def service(own: Names, known: Mapping[str, Values], broker: Broker, settings: Mapping[str, str]) -> Values:
    """The environment of a capstone's pods, from the servers' Secrets."""
    tokens = {f"{name}-{secrets.token_hex(12)}": dict(who) for name, who in load(own.capstone).callers.items()}
    store, messages = _free_redis_databases(known)
    return {
        "DATABASE_URL": database_url(own, known["postgres"]),
        "BROKER_URL": broker_url(own, known["rabbitmq"])
        if broker == "rabbitmq"
        else store_url(known["redis"], messages),
        "STORE_URL": store_url(known["redis"], store),
        **{key: known[name][key] for name, key in _shared(own).items()},
        **{one.variable: own_store_url(one, known[one.name], settings) for one in load(own.capstone).stores},
        "API_TOKENS": json.dumps(tokens),
    }


def _free_redis_databases(known: Mapping[str, Values]) -> tuple[int, int]:
    """Two numbers of databases of the shared Redis that no capstone's Secret names."""
    urls = [urlsplit(values[key]) for values in known.values() for key in ("BROKER_URL", "STORE_URL") if key in values]
    taken = {int(url.path.strip("/")) for url in urls if url.hostname == "redis"}
    free = [number for number in range(0, REDIS_DATABASES, 2) if not taken & {number, number + 1}]
    if not free:
        raise Refused(f"each of the {REDIS_DATABASES} databases of Redis belongs to a capstone already")
    return free[0], free[0] + 1


def database_url(own: Names, values: Values) -> str:
    """Where a capstone finds its database."""
    user, word = own.database_keys
    return f"postgresql+psycopg://{values[user]}:{values[word]}@postgres:5432/{own.database}"


def broker_url(own: Names, values: Values) -> str:
    """Where a capstone finds RabbitMQ."""
    user, word = own.broker_keys
    return f"amqp://{values[user]}:{values[word]}@rabbitmq:5672/{own.vhost}"


def store_url(values: Values, number: int) -> str:
    """Where a capstone finds one of the databases of the shared Redis."""
    return f"redis://:{values['password']}@redis:6379/{number}"


def own_store_url(store: OwnStore, values: Values, settings: Mapping[str, str]) -> str:
    """Where a capstone finds a store of its own: a Service with the store's name, or one a node where these settings make it a cluster."""
    alone = store.shard_count(settings) == 1
    hosts = [store.name] if alone else [f"{store.name}-cluster-{number}" for number in range(CLUSTER_NODES)]
    return ",".join(f"redis://:{values['password']}@{host}:6379/0" for host in hosts)


def refuse_other_stores(own: Names, known: Mapping[str, Values], settings: Mapping[str, str]) -> None:
    """Refused when the Secret of a capstone has another number of servers for one of its stores than these settings ask for.

    What was stored would stay where it is, and the capstone begin anew without a word.
    """
    for store in load(own.capstone).stores:
        told = known.get(own.secret, {}).get(store.variable, "")
        there, wanted = (
            len(redis_client.nodes(urls)) for urls in (told, own_store_url(store, known[store.name], settings))
        )
        if told and there != wanted:
            raise Refused(
                f"{own.capstone}: the store {store.name} has {there} servers here, and {wanted} are asked for. What it holds does not "
                f"move: to begin anew, undeploy the capstone, delete the Secret {own.secret}, and deploy again"
            )


def scaler(own: Names, known: Mapping[str, Values], namespace: str) -> str:
    """Where KEDA, which lives in a namespace of its own, asks how long a capstone's queues are."""
    word = known["rabbitmq"]["scaler-password"]
    return f"http://scaler:{word}@rabbitmq.{namespace}.svc:15672/{own.vhost}"


def conductor(own: Names, known: Mapping[str, Values]) -> Values:
    """What load, verifier and drills use: tokens of the API, and a login that only reads. Refused when a token is missing."""
    tokens = {_entry(who): token for token, who in json.loads(known[own.secret]["API_TOKENS"]).items()}
    found = {name: tokens.get(_entry(who)) for name, who in load(own.capstone).callers.items()}
    if lost := [name for name, token in found.items() if token is None]:
        raise Refused(f"API_TOKENS in the Secret {own.secret} has no token of {', '.join(lost)}")
    return {
        **{f"{name.upper()}_TOKEN": str(token) for name, token in found.items()},
        "DATABASE_URL": f"postgresql://judge:{known['postgres']['JUDGE_PASSWORD']}@postgres:5432/{own.database}",
    }


def _entry(who: Mapping[str, str]) -> str:
    return json.dumps(dict(who), sort_keys=True)

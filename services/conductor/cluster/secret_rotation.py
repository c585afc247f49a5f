"""Gives a capstone another password at the database or at the broker, by a roll that loses nothing.

Of the capstone's two logins the idle one gets a new password, the pools are rolled to it, and then the other is locked. Until the end both
work, so a process that reconnects meanwhile is let in with whichever it knows. Broken off, it goes on where it was when called again: the
login in the capstone's environment says how far it came.
"""

from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from conductor.cluster import install, logins, secrets
from conductor.cluster.installation import Installation
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.names import Names
from conductor.cluster.secrets import DEFINITIONS, Values, password
from conductor.errors import Refused

What = Literal["database", "broker"]
Tell = Callable[[str], None]


def rotate(wanted: Installation, capstone: str, what: What, tell: Tell) -> None:
    """Move every pool of a capstone to another login and lock the one that was in use.

    Raises ClusterFailed, with both logins working.
    """
    kubectl, own = wanted.kubectl, Names(capstone)
    if what == "database":
        _rotate(wanted, own, tell, server="postgres", keys=own.database_keys, url="DATABASE_URL", give=_role)
    elif urlsplit(_known(kubectl, own.secret)["BROKER_URL"]).scheme.startswith("redis"):
        raise Refused("the broker of this installation is Redis, whose one password belongs to the store as well")
    else:
        _rotate(wanted, own, tell, server="rabbitmq", keys=own.broker_keys, url="BROKER_URL", give=_user)


def _rotate(
    wanted: Installation,
    own: Names,
    tell: Tell,
    *,
    server: str,
    keys: tuple[str, str],
    url: str,
    give: Callable[[Kubectl, str, str, Values], None],
) -> None:
    kubectl = wanted.kubectl
    kept, service = _known(kubectl, server), _known(kubectl, own.secret)
    if keys[0] not in kept:
        raise Refused(f"the Secret {server} knows no login of {own.capstone}: `capstone cluster secrets` makes it")
    old, new = kept[keys[0]], own.idle(kept[keys[0]])
    now = urlsplit(service[url])
    word = now.password if now.username == new and now.password else password()
    tell(f"{new} gets a new password")
    both = _redefined(kept, new, word)
    give(kubectl, new, word, both)
    # What a server reads when it starts again must say what is true at any moment of this.
    _keep(kubectl, server, both)
    _keep(kubectl, own.secret, {**service, url: _with(service[url], new, word)})
    tell("rolling every pool")
    install.roll(wanted, own)
    tell(f"{old} is locked")
    locked = password()
    one = _redefined({**_redefined(both, old, locked), keys[0]: new, keys[1]: word})
    give(kubectl, old, locked, one)
    _keep(kubectl, server, one)


def _role(kubectl: Kubectl, login: str, word: str, _: Values) -> None:
    logins.set_password(kubectl, login, word)


def _user(kubectl: Kubectl, _login: str, _word: str, values: Values) -> None:
    logins.to_broker(kubectl, values)


def _known(kubectl: Kubectl, name: str) -> Values:
    values = kubectl.secret(name)
    if values is None:
        raise Refused(f"there is no Secret {name} in {kubectl.namespace}: `capstone cluster secrets` makes it")
    return values


def _keep(kubectl: Kubectl, name: str, values: Values) -> None:
    kubectl.apply(install.secret(name, values))


def _redefined(values: Values, login: str = "", word: str = "") -> Values:
    """A server's Secret with another password for a login, in what the server reads when it starts."""
    if DEFINITIONS in values:
        return {**values, DEFINITIONS: secrets.redefined(values[DEFINITIONS], login, word)}
    return secrets.with_logins(values)


def _with(url: str, login: str, word: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}:{word}@{parts.hostname}:{parts.port}").geturl()

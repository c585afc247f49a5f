"""An installation in a cluster as a person's command reaches it: each server at a port of this machine, opened at its first use."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from conductor import redis_client
from conductor.capstone import load
from conductor.cluster import pool_values
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.names import Names
from conductor.cluster.port_forward import forwarded
from conductor.cluster.volume_copy import copy_folder
from conductor.errors import ClusterFailed, NotRunning

REDIS_PORT = 6379
TOKEN = "_TOKEN"


def services(capstone: str) -> Mapping[str, tuple[str, int]]:
    """Service and port by the names of conductor.runtime.Reach. The broker is left out: its login belongs to the service alone."""
    return {
        "api": (Names(capstone).api_service, 8000),
        **{one.name: (one.name, one.port) for one in load(capstone).outside},
        **{one.name: (one.name, REDIS_PORT) for one in load(capstone).stores},
        **pool_values.ports(Names(capstone)),
        "database": ("postgres", 5432),
        "store": ("redis", REDIS_PORT),
    }


class ClusterAccess:
    """A `Reach` of one capstone in one namespace. Each address is a port-forward, or a folder's copy, that lives until `close`."""

    def __init__(self, namespace: str, capstone: str) -> None:
        self.kubectl = Kubectl(namespace)
        self._own = Names(capstone)
        name = self._own.conductor_secret
        secret = self.kubectl.secret(name)
        if secret is None:
            raise NotRunning(
                f'the namespace "{namespace}" has no Secret "{name}": `make deploy CAPSTONES={capstone}` installs it'
            )
        self._secret = secret
        self._forwards = ExitStack()
        self._services = services(capstone)
        self._own_stores = {one.name: one.variable for one in load(capstone).stores}
        self._folders = {f"{pool}.data": pool for pool in pool_values.folders(self._own)}
        self._addresses = _Addresses((*self._services, *self._folders), self._open)

    def addresses(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach; an address is opened when it is read. Raises ClusterFailed when kubectl cannot."""
        return self._addresses

    def tokens(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        outside = self.kubectl.secret("outside-admin")
        if outside is None:
            raise NotRunning('there is no Secret "outside-admin": `make secrets` makes it')
        return {
            **tokens_of(self._secret),
            "outside": outside["OUTSIDE_ADMIN_TOKEN"],
        }

    def close(self) -> None:
        """End every port-forward."""
        self._forwards.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, name: str) -> str:
        if name in self._folders:
            return self._copied(self._folders[name])
        if name in self._own_stores:
            return self._own_store(name)
        service, port = self._services[name]
        address = self._forwards.enter_context(forwarded(self.kubectl, service, port))
        if name == "database":
            return _at(self._secret["DATABASE_URL"], address)
        if name == "store":
            held = self.kubectl.secret(service)
            if held is None:
                raise ClusterFailed(f'the namespace "{self.kubectl.namespace}" has no Secret "{service}"')
            return _at(f"redis://:{held['password']}@{service}:{port}/0", address)
        return address

    def _own_store(self, name: str) -> str:
        """The URLs of all its servers, as the capstone's Secret has them, each at a port of this machine."""
        held = self.kubectl.secret(self._own.secret)
        if held is None:
            raise ClusterFailed(f'the namespace "{self.kubectl.namespace}" has no Secret "{self._own.secret}"')
        opened = []
        for url in redis_client.nodes(held[self._own_stores[name]]):
            host = urlsplit(url).hostname or name
            opened.append(_at(url, self._forwards.enter_context(forwarded(self.kubectl, host, REDIS_PORT))))
        return ",".join(opened)

    def folder(self, pool: str) -> str:
        """Where the pods of a StatefulSet have their volume."""
        return pool_values.folders(self._own)[pool]

    def inside(self, pool: str, *argv: str) -> str:
        """What a program says in the first pod of a StatefulSet, stdout and stderr, however it ends. Raises ClusterFailed without a pod."""
        shell = ("sh", "-c", '"$@" 2>&1 || true', "sh")
        return self.kubectl("exec", f"{self._own.release}-{pool}-0", "--", *shell, *argv)

    def _copied(self, pool: str) -> str:
        """The folder of the pool's first pod as it is now."""
        to = Path(self._forwards.enter_context(tempfile.TemporaryDirectory(prefix="capstone-")))
        copy_folder(self.kubectl, f"{self._own.release}-{pool}-0", self.folder(pool), to)
        return to.as_uri()


class _Addresses(Mapping[str, str]):
    """Addresses by name; each is opened at its first use and kept, except a folder, which is copied anew."""

    def __init__(self, names: Sequence[str], opened: Callable[[str], str]) -> None:
        self._names = names
        self._opened = opened
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        if name in self._known:
            return self._known[name]
        opened = self._opened(name)
        if not opened.startswith("file:"):
            self._known[name] = opened
        return opened

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def tokens_of(values: Mapping[str, str]) -> dict[str, str]:
    """Tokens of a capstone's API by their names, from the variables of the conductor's Secret."""
    return {name.removesuffix(TOKEN).lower(): word for name, word in values.items() if name.endswith(TOKEN)}


def _at(url: str, address: str) -> str:
    """The URL with host and port of another one; login, password and path stay."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{urlsplit(address).netloc}"))

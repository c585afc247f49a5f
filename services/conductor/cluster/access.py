"""An installation in a cluster as a person's command reaches it: each server at a port of this machine, opened at its first use."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from conductor.capstone import load
from conductor.cluster.install import RELEASE
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.port_forward import forwarded
from conductor.errors import ClusterFailed, NotRunning


@cache
def services() -> Mapping[str, tuple[str, int]]:
    """Service and port by the names of conductor.runtime.Reach. The broker is left out: its login belongs to the service alone."""
    return {
        "api": (f"{RELEASE}-api", 8000),
        **{one.name: (one.name, one.port) for one in load(RELEASE).outside},
        "database": ("postgres", 5432),
        "store": ("redis", 6379),
    }


class ClusterAccess:
    """A `Reach` of one namespace. Each address is a port-forward that lives until `close`."""

    def __init__(self, namespace: str) -> None:
        self.kubectl = Kubectl(namespace)
        secret = self.kubectl.secret("conductor")
        if secret is None:
            raise NotRunning(
                f'the namespace "{namespace}" has no Secret "conductor": `make deploy` installs the platform'
            )
        self._secret = secret
        self._forwards = ExitStack()
        self._addresses = _Addresses(self._open)

    def addresses(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach; an address is opened when it is read. Raises ClusterFailed when kubectl cannot."""
        return self._addresses

    def tokens(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        outside = self.kubectl.secret("outside-admin")
        if outside is None:
            raise NotRunning('there is no Secret "outside-admin": `make secrets` makes it')
        return {
            "operator": self._secret["OPERATOR_TOKEN"],
            "customer": self._secret["CUSTOMER_TOKEN"],
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
        service, port = services()[name]
        address = self._forwards.enter_context(forwarded(self.kubectl, service, port))
        if name == "database":
            return _at(self._secret["DATABASE_URL"], address)
        if name == "store":
            held = self.kubectl.secret("redis")
            if held is None:
                raise ClusterFailed(f'the namespace "{self.kubectl.namespace}" has no Secret "redis"')
            return _at(f"redis://:{held['password']}@redis:{port}/0", address)
        return address


class _Addresses(Mapping[str, str]):
    """Addresses by name; each is opened at its first use and kept."""

    def __init__(self, opened: Callable[[str], str]) -> None:
        self._opened = opened
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in services():
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._opened(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(services())

    def __len__(self) -> int:
        return len(services())


def _at(url: str, address: str) -> str:
    """The URL with host and port of another one; login, password and path stay."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{urlsplit(address).netloc}"))

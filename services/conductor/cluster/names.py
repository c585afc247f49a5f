"""What is named after a capstone in a cluster. All of it follows from the capstone's name."""

import re
from dataclasses import dataclass
from pathlib import Path

from conductor.run_directory import CHECKOUT, chart, home, roots

OVERLAYS = CHECKOUT / "k8s" / "overlays"


def charts() -> tuple[str, ...]:
    """The capstones that have a chart, in the checkout or on CAPSTONE_PATH. A library, which renders nothing by itself, is none of them."""
    return tuple(sorted({path.parts[-3] for root in roots() for path in root.glob("charts/*/templates/app.yaml")}))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one capstone: its blue release, its image, its database, its virtual host and its Secret have the capstone's own."""

    capstone: str

    @property
    def release(self) -> str:
        """The release that was there first, blue."""
        return self.capstone

    @property
    def green(self) -> str:
        """The release beside it, when there is one; see conductor.cluster.blue_green."""
        return f"{self.capstone}-green"

    @property
    def chart(self) -> Path:
        """The folder of its chart."""
        return chart(self.capstone)

    @property
    def own_platform(self) -> Path:
        """The folder of what it stands on besides the platform. Not every capstone has one."""
        return home(self.capstone) / "k8s" / self.capstone

    def platform_of(self, overlay: str) -> Path:
        """The folder of what it stands on besides the platform in an overlay that brings its own; else `own_platform`."""
        own = home(self.capstone) / "k8s" / "overlays" / overlay / self.capstone
        return own if own.is_dir() else self.own_platform

    @property
    def platforms(self) -> tuple[Path, ...]:
        """Every folder that it may stand on besides the platform, whichever overlay it was."""
        own = home(self.capstone) / "k8s"
        brought = sorted(own.glob(f"overlays/*/{self.capstone}/kustomization.yaml"))
        return tuple(path for path in (self.own_platform, *(found.parent for found in brought)) if path.is_dir())

    def settings_of(self, overlay: str) -> dict[str, str]:
        """What the values that an overlay brings say of its settings, as environment variables."""
        import yaml  # which the command line would wait for at each of its starts

        values = self.overlay_values(overlay)
        told = yaml.safe_load(values.read_text()).get("settings") or {} if values.is_file() else {}
        return {re.sub(r"(?=[A-Z])", "_", key).upper(): str(value) for key, value in told.items()}

    def overlay_values(self, overlay: str) -> Path:
        """The values that an overlay brings for its chart. Not every overlay has them."""
        return home(self.capstone) / "k8s" / "overlays" / overlay / f"{self.capstone}-values.yaml"

    @property
    def database(self) -> str:
        """Its database, and the role that owns it."""
        return self.capstone

    @property
    def vhost(self) -> str:
        """Its virtual host at RabbitMQ."""
        return self.capstone

    @property
    def logins(self) -> tuple[str, str]:
        """Its two logins, at the database and at the broker, of which one is in use."""
        return f"{self.capstone}_a", f"{self.capstone}_b"

    def idle(self, login: str) -> str:
        """The one of the two logins that is not in use."""
        return self.logins[1 - self.logins.index(login)]

    @property
    def secret(self) -> str:
        """The Secret with the environment of its pods."""
        return self.capstone

    @property
    def scaler_secret(self) -> str:
        """The Secret that KEDA reads."""
        return f"{self.capstone}-scaler"

    @property
    def conductor_secret(self) -> str:
        """The Secret of who loads and judges it: tokens of its API, and a login at its database that only reads."""
        return f"{self.capstone}-conductor"

    @property
    def database_keys(self) -> tuple[str, str]:
        """The keys of PostgreSQL's Secret with the login in use and its password."""
        return f"{self.capstone.upper()}_USER", f"{self.capstone.upper()}_PASSWORD"

    @property
    def broker_keys(self) -> tuple[str, str]:
        """The keys of RabbitMQ's Secret with the login in use and its password."""
        return f"{self.capstone}-user", f"{self.capstone}-password"

    @property
    def touched(self) -> str:
        """A pattern of what it touches in its virtual host: its own queues and exchanges, and those of Celery's remote control."""
        return rf"^({self.capstone}(\..+)?|celery.*|amq\.default|amq\.gen.*|.+\.celery\.pidbox)$"

    @property
    def api_service(self) -> str:
        """The Service of its API."""
        return f"{self.capstone}-api"

    @property
    def api(self) -> str:
        """Where its API answers inside the namespace."""
        return f"http://{self.api_service}:8000"

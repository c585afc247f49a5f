"""Takes capstones and the platform out of a cluster."""

from collections.abc import Sequence

from conductor.cluster import log_collector, overlays
from conductor.cluster.installation import PLATFORM, Installation, Tell
from conductor.cluster.kubectl import run
from conductor.cluster.names import Names


def undeploy(wanted: Installation, capstones: Sequence[str], tell: Tell, *, platform: bool, volumes: bool) -> None:
    """Take capstones away with what only they stand on, and with `platform` all the rest. What was stored stays, and so do the Secrets.

    With `volumes` these go as well, with the namespace, and nothing brings them back.
    """
    kubectl = wanted.kubectl
    for own in map(Names, capstones):
        tell(own.capstone)
        for release in (own.green, own.release):
            run(["helm", "uninstall", release, "--namespace", wanted.namespace, "--ignore-not-found", "--wait"])
        for folder in own.platforms:
            objects = overlays.rendered(wanted, folder)
            kubectl("delete", "--filename", "-", "--ignore-not-found", "--wait", given=objects)
    if platform:
        tell("platform")
        log_collector.remove(wanted)
        kubectl("delete", ",".join(overlays.KINDS), "--selector", PLATFORM, "--ignore-not-found", "--wait")
        if rights := overlays.rights(wanted):
            kubectl("delete", *rights, "--ignore-not-found")
        kubectl("delete", "jobs", "--selector", "app.kubernetes.io/name=conductor", "--ignore-not-found")
    if volumes:
        tell("volumes and secrets")
        run(["kubectl", "delete", "namespace", wanted.namespace, "--ignore-not-found", "--wait"])

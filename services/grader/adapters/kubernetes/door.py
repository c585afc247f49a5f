"""The grader's end of a tunnel into a pod: a thread that leads what is connected to there to the servers of the grading."""

import asyncio
import select
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader.adapters.kubernetes import tunnel
from grader.errors import Unable

START_SECONDS = 60.0
"""For the listening end to answer; a `kubectl exec` to a node that does not answer waits for minutes."""

END_SECONDS = 5.0


class Door:
    """Open when it was made. `command` starts the listening end, to which the source and the ports are appended. Raises Unable."""

    def __init__(self, command: Sequence[str], ports: Mapping[int, int], said: Path) -> None:
        self._said = said
        source = Path(tunnel.__file__).read_text()
        argv = [*command, "python", "-I", "-S", "-c", source, *map(str, ports)]
        with said.open("wb") as errors:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
            )
        assert self._process.stdout is not None
        answered, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        if not answered or self._process.stdout.readline() != tunnel.READY:
            self.end()
            why = self._why() if answered else f"no answer within {START_SECONDS:g} s"
            raise Unable(f"the tunnel into the cluster did not start: {why}")
        self._thread = threading.Thread(target=asyncio.run, args=[self._carry(ports)], daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise Unable when it is closed: whoever lost a connection since then was not at fault."""
        if self._process.poll() is not None or not self._thread.is_alive():
            raise Unable(f"the tunnel into the cluster broke: {self._why()}")

    def end(self) -> None:
        """Close it, and every connection through it."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _why(self) -> str:
        return self._said.read_text(errors="replace").strip()[-300:] or f"status {self._process.poll()}"

    async def _carry(self, ports: Mapping[int, int]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        reader, writer = await tunnel.piped(self._process.stdout, self._process.stdin)
        await tunnel.Tunnel(reader, writer, ports).run()

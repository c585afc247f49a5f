"""SendingTime: UTC with milliseconds. It decides nothing; the engine's time is in the journal."""

import time


class Stamp:
    """Formats the machine's time; the second is formatted once."""

    def __init__(self) -> None:
        self._second, self._text = -1, b""

    def __call__(self) -> bytes:
        """Now, as `YYYYMMDD-HH:MM:SS.sss`."""
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        text = self._text
        if second != self._second:
            text = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(second)).encode()
            self._text, self._second = text, second
        return b"%b.%03d" % (text, rest // 1_000_000)

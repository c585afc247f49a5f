"""Makes loggers. Only this module imports structlog, which is several times cheaper to import where it does not find Rich.

Wherever Rich is installed (on a laptop, for the terminal's sake) structlog imports it, with the highlighter of source code, for
tracebacks in colour: 0.08 s of CPU of every process that starts. Ours are plain.
"""

import sys

_RICH = "rich"

if _RICH in sys.modules:
    import structlog
else:
    sys.modules[_RICH] = None  # type: ignore[assignment]  # how the import system is told that there is none
    try:
        import structlog
    finally:
        del sys.modules[_RICH]

get_logger = structlog.get_logger

__all__ = ["get_logger", "structlog"]

"""`python -m loadtests.bench CAPSTONE [options]`: the bench of one capstone; its last line is JSON."""

import importlib
import signal
import sys

CAPSTONES = ("analytics", "orders", "trading")


def main(argv: list[str]) -> int:
    """Run the bench that the first argument names, with the rest as its options."""
    if not argv or argv[0] not in CAPSTONES:
        print(f"usage: python -m loadtests.bench {{{','.join(CAPSTONES)}}} [options]", file=sys.stderr)
        return 2
    return int(importlib.import_module(f"loadtests.{argv[0]}.bench").main(argv[1:]))


if __name__ == "__main__":
    # Each bench ends the processes that it started on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))

"""Sends what was accepted and not sent yet."""


def run_once():
    """Send it; how much there was. It is called every few seconds, by a process of its own."""
    return 0

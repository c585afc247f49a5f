"""Who runs a tool of ours, for its audit trail."""

import getpass
import os


def whoever() -> str:
    """The user's name, or the number where nobody gave it one, as in a container that runs under any uid."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"

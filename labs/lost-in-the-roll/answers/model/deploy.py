"""How the workers are replaced: SIGTERM, then SIGKILL to what is still there."""

GRACE_SECONDS = 15

"""What becomes of a message whose task this version does not know."""


def replay():
    """Send what was kept again; how many there were."""
    return 0

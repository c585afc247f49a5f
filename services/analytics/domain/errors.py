"""The domain's errors.

AnalyticsError
├── BodyRefused        a whole request body that is no list of events
└── BatchRefused       a batch that cannot be read, for example one of a newer version
"""


class AnalyticsError(Exception):
    """Base of what this package raises on purpose."""


class BodyRefused(AnalyticsError):
    """A request body is not JSON, or no list of events; says what is wrong with it."""


class BatchRefused(AnalyticsError):
    """A batch is of an unknown version or broken; says which."""

"""Names of the keys that hold counters. All of one shard share a hash tag, so that one function call may write them on a cluster.

{0}:c:<kind>:<minute>   hash: events by content          expires
{0}:ct:<kind>           hash: events by content, of all time
{0}:u:<hour>            hash: events by user             expires
{0}:t:<kind>:<hour>     hash: events by minute           expires
{0}:apart               hash: events by late:<kind>, future:<kind> or flagged:<kind>; refused
{0}:parts:<slot>        set: ids of parts counted in a slot of time; expires
{0}:meta                hash: events, published_ms, counted_ms
{0}:flushes             stream: what each flush added, and how late; the last quarter of an hour
{live}:accepted         sorted set: when the newest confirmed batch was published
"""

PREFIX = "{0}:"
APART = f"{PREFIX}apart"
META = f"{PREFIX}meta"
FLUSHES = f"{PREFIX}flushes"
ACCEPTED = "{live}:accepted"


def content_minutes(kind: str, minute: int) -> str:
    """Events by content in a minute since 1970."""
    return f"{PREFIX}c:{kind}:{minute}"


def content_totals(kind: str) -> str:
    """Events by content, of all time."""
    return f"{PREFIX}ct:{kind}"


def user_hours(hour: int) -> str:
    """Events by user in an hour since 1970."""
    return f"{PREFIX}u:{hour}"


def totals(kind: str, hour: int) -> str:
    """Events by minute of an hour since 1970."""
    return f"{PREFIX}t:{kind}:{hour}"

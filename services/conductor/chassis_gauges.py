"""What every database with the chassis' tables says about now: how long commands wait, and what is parked.

A command that was published is due again one lease later, and each lease is twice the one before: so when it was first due follows from how
often it was published. The exporter sets `chassis.lease_seconds` for its session to the lease of the relay.
"""

from conductor.capstone import Gauge

_LEASE = "coalesce(nullif(current_setting('chassis.lease_seconds', true), ''), '30')::float8"

PARKED = Gauge(
    "chassis_parked_records",
    "What waits for a person's decision, by the reason it was parked for",
    ("queue", "reason"),
    "SELECT queue, reason, count(*) FROM parked WHERE status = 'parked' GROUP BY queue, reason",
)

OUTBOX = (
    Gauge(
        "chassis_outbox_due",
        "Commands that should have begun by now",
        ("queue",),
        "SELECT queue, count(*) FROM outbox WHERE state = 'open' AND due_at <= now() GROUP BY queue",
    ),
    Gauge(
        "chassis_outbox_oldest_due_seconds",
        "How long the oldest command without an outcome has been due, published or not",
        ("queue",),
        "SELECT queue, greatest(0, extract(epoch FROM now() - min(CASE WHEN issued = 0 THEN due_at ELSE greatest(created_at, due_at -"
        f" make_interval(secs => {_LEASE} * (power(2, least(issued, 7)) - 1))) END)))"
        " FROM outbox WHERE state = 'open' AND (issued > 0 OR due_at <= now()) GROUP BY queue",
    ),
    Gauge(
        "chassis_outbox_oldest_unpublished_seconds",
        "How long the oldest command that was not published has been due",
        ("queue",),
        "SELECT queue, extract(epoch FROM now() - min(due_at)) FROM outbox"
        " WHERE state = 'open' AND issued = 0 AND due_at <= now() GROUP BY queue",
    ),
)

TRANSACTIONS = Gauge(
    "chassis_oldest_transaction_seconds",
    "Age of the oldest open transaction: until it ends, no dead row of any table can be removed",
    (),
    "SELECT coalesce(extract(epoch FROM now() - min(began)), 0) FROM ("
    " SELECT xact_start FROM pg_stat_activity WHERE backend_xmin IS NOT NULL OR backend_xid IS NOT NULL"
    " UNION ALL SELECT prepared FROM pg_prepared_xacts) open (began)",
)

ARCHIVE = Gauge(
    "chassis_archive_failing",
    "1 while the last try to archive a segment of the write-ahead log failed",
    (),
    "SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)::int FROM pg_stat_archiver",
)

CONNECTIONS = (
    Gauge(
        "chassis_database_connections",
        "Connections of clients to the server, whichever of its databases they are to",
        (),
        # Whose session it is everybody may see, and of what kind only some: what the server starts itself has no user or no database.
        "SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL",
    ),
    Gauge(
        "chassis_database_connections_limit",
        "The most connections that clients may have",
        (),
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true)::int, 0)",
    ),
)

STANDBYS = Gauge(
    "chassis_standby_behind_bytes",
    "How much of the database's log a standby has not replayed",
    ("standby",),
    "SELECT application_name, max(pg_wal_lsn_diff("
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, replay_lsn))"
    " FROM pg_stat_replication WHERE replay_lsn IS NOT NULL GROUP BY application_name",
)

SERVER = (TRANSACTIONS, *CONNECTIONS, STANDBYS, ARCHIVE)
"""What the server of any database says."""

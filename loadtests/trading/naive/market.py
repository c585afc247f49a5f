"""What an order of the rival is checked against: symbols with phase and collar, accounts with limits. In the store of the rival."""

import redis

LIMITS = ("max_position", "max_daily_quantity", "max_quantity", "max_notional", "max_rate")


def open_market(store: redis.Redis, symbols: range, accounts: range, reference: int, limits: tuple[int, ...]) -> None:
    """Open every symbol around a price, and let every account trade within its limits, which are in the order of LIMITS."""
    with store.pipeline() as pipe:
        for symbol in symbols:
            pipe.hset(f"symbol:{symbol}", mapping={"phase": "open", "reference": reference, "collar_bp": 2_000})
        for account in accounts:
            pipe.hset(f"account:{account}", mapping=dict(zip(LIMITS, limits, strict=True)))
        pipe.execute()

"""The orders' tables in PostgreSQL; chassis.tables adds the outbox and what was parked. Migrations create both."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = sa.MetaData()

NOW = sa.text("now()")


def _moment(name: str, *, nullable: bool = False, now: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=NOW if now else None)


products = sa.Table(
    "products",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("price_minor", sa.BigInteger, sa.CheckConstraint("price_minor > 0"), nullable=False),
    sa.Column("currency", sa.CHAR(3), nullable=False),
)

stock = sa.Table(
    "stock",
    metadata,
    sa.Column("sku", sa.ForeignKey("products.sku"), primary_key=True),
    sa.Column("on_hand", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="stock_never_oversold"),
    # One row a SKU is updated by every order: room on the page keeps those updates off the index.
    postgresql_with={"fillfactor": "20"},
)

stock_movements = sa.Table(
    "stock_movements",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("order_id", UUID(as_uuid=False)),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    _moment("at"),
    sa.CheckConstraint("kind IN ('restock', 'reserve', 'release', 'ship')", name="stock_movement_kind"),
    # The database itself refuses to move the same goods twice for one order.
    sa.UniqueConstraint("order_id", "sku", "kind", name="stock_moved_once"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("address", JSONB, nullable=False),
    # The provider's token for a card, never a card number.
    sa.Column("card", sa.Text, nullable=False),
    sa.Column("currency", sa.CHAR(3), nullable=False),
    sa.Column("total_minor", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("saga", JSONB, nullable=False),
    sa.Column("needs_attention", sa.Text),
    sa.Column("reserve_until", sa.DateTime(timezone=True), nullable=False),
    sa.Column("tracking_number", sa.Text),
    sa.Column("reason", sa.Text),
    _moment("created_at"),
    _moment("updated_at"),
    sa.Index("orders_by_customer", "customer", "created_at", "id"),
    sa.Index(
        "orders_by_tracking", "tracking_number", unique=True, postgresql_where=sa.text("tracking_number IS NOT NULL")
    ),
    sa.Index(
        "orders_open", "reserve_until", postgresql_where=sa.text("state NOT IN ('delivered', 'cancelled', 'failed')")
    ),
    # Counted before a customer's next order is accepted; a customer of many years has few that are open.
    sa.Index(
        "orders_open_by_customer",
        "customer",
        postgresql_where=sa.text("state NOT IN ('delivered', 'cancelled', 'failed')"),
    ),
    postgresql_with={"fillfactor": "70"},
)

order_lines = sa.Table(
    "order_lines",
    metadata,
    sa.Column("order_id", sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("line_no", sa.Integer, primary_key=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("unit_price_minor", sa.BigInteger),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
)

timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("order_id", UUID(as_uuid=False), nullable=False),
    _moment("at"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Index("timeline_by_order", "order_id", "id"),
    # Rows arrive by age: a few bytes for every hundred pages find the old ones, and cost the writer nothing.
    sa.Index("timeline_by_age", "at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("order_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("tracking_number", sa.Text, nullable=False),
    sa.Column("pdf", sa.LargeBinary, nullable=False),
)

mails = sa.Table(
    "mails",
    metadata,
    sa.Column("order_id", UUID(as_uuid=False), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False),
    _moment("sent_at"),
)

intake_keys = sa.Table(
    "intake_keys",
    metadata,
    sa.Column("customer", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("order_id", UUID(as_uuid=False), nullable=False),
    _moment("created_at"),
    sa.Index("intake_keys_by_age", "created_at"),
)

carrier_events = sa.Table(
    "carrier_events",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("tracking_number", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    _moment("received_at"),
    sa.Index("carrier_events_by_age", "received_at"),
)

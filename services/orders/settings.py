"""The orders' settings, from the environment; see chassis.settings for the ones every service has."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from chassis.errors import BadSetting
from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """All of the orders' settings. A field's name in capitals is its environment variable."""

    payments_url: str = "http://127.0.0.1:9101"
    """Base URL of the payment provider."""

    carrier_url: str = "http://127.0.0.1:9102"
    """Base URL of the carrier."""

    carrier_secret: SecretStr = SecretStr("")
    """Key of the HMAC that signs the carrier's callbacks; without one every callback is refused."""

    smtp_host: str = "127.0.0.1"
    """Host of the mail server."""

    smtp_port: int = Field(default=9125, ge=1, le=65535)
    """Port of the mail server."""

    mail_from: str = "orders@shop.example"
    """Sender of every mail; its domain is the domain of the Message-IDs."""

    outside_timeout_seconds: float = Field(default=3.0, gt=0, le=30)
    """How long a call to the outside may take; a batch of 24 calls, 8 at a time, must fit the soft time limit even so."""

    mail_taken_seconds: float = Field(default=20.0, gt=0, le=600)
    """How long the mail server may take over a mail whose text it has. Who gives up on it sends the mail twice, so it is as long as the
    soft time limit allows beyond `batch_budget_seconds`."""

    outside_parallel: int = Field(default=8, ge=1, le=64)
    """Calls to the outside that one worker process makes at a time."""

    outside: Literal["real", "instant"] = "real"
    """`instant` answers in memory, at once: for measuring what is ours. Never where anybody expects a parcel."""

    batch_budget_seconds: float = Field(default=20.0, gt=0)
    """After this long no further call of a batch begins; well below the soft time limit, so that what was done is recorded."""

    reservation_seconds: float = Field(default=900.0, gt=0)
    """How long goods are held for an order that is not paid; then it turns back."""

    expire_every_seconds: float = Field(default=5.0, gt=0)
    """How often reservations that ran out are looked for."""

    reconcile_every_seconds: float = Field(default=30.0, gt=0)
    """How often open orders without any open command are looked for: none should ever be found."""

    prune_every_seconds: float = Field(default=60.0, gt=0)
    """How often old rows are deleted."""

    collect_every_seconds: float = Field(default=10.0, gt=0)
    """How often the broker's dead letters are brought into the table of what is parked."""

    retention_days: float = Field(default=30.0, gt=0)
    """How long keys, callbacks, timelines and labels of finished orders and closed parked records are kept."""

    attention_after_failures: int = Field(default=6, ge=1)
    """A compensation that failed this often marks its order `needs_attention` (and is still tried)."""

    relay_lease_seconds: float = Field(default=30.0, gt=0)
    """A published command without an outcome is published again after this long, then after twice as long, …"""

    relay_interval_ms: float = Field(default=20.0, ge=1)
    """Pause between two looks into the outbox: the lateness of a retry, and what lets commands gather into batches."""

    relay_gather_ms: float = Field(default=100.0, ge=0)
    """What a command may wait for others that go in the same message (ms), unless its queue was quiet; 0 = nothing is waited for."""

    relay_messages: int = Field(default=8, ge=1)
    """Messages of one queue that are under way at a time: about twice the processes of the largest pool. While they are, commands gather
    in the outbox, and then leave as full batches."""

    max_attempts: int = Field(default=5, ge=1)
    """Starts without an outcome (a worker died each time) after which a command is poison and is parked."""

    api_tokens: SecretStr = SecretStr("")
    """Who may use the API: JSON, `{"token": {"customer": "c-1"}, "another": {"role": "operator"}}`. Without any, nobody may."""

    api_tokens_file: Path | None = None
    """A file with the same JSON, read at start; takes the place of `api_tokens`."""

    api_threads: int = Field(default=16, ge=1, le=200)
    """Requests one API process works on at a time, and half of them for one customer; each needs a connection to the database."""

    api_deadline_seconds: float = Field(default=4.0, gt=0, le=60)
    """A request that the database has not answered by then gets a 503; less than the 5 s that the carrier waits."""

    body_limit_bytes: int = Field(default=64 * 1024, ge=1024)
    """Longest body the API reads: an order of 100 lines takes a tenth of it."""

    open_orders_limit: int = Field(default=1000, ge=1)
    """Orders that one customer may have under way; the next one gets a 429. Operators are exempt."""

    open_commands_limit: int = Field(default=20_000, ge=1)
    """Commands that may be open before new orders get a 503: some minutes of work, so that what is accepted is also done soon."""

    event_streams_limit: int = Field(default=10, ge=1)
    """Event streams that one customer may have open in one API process; the next one gets a 429. Operators are exempt."""

    event_streams_process_limit: int = Field(default=100, ge=1)
    """Event streams that one API process keeps open for all; each asks the database four times a second. The next one gets a 503."""

    event_streams_reserved: int = Field(default=10, ge=0)
    """Of these, how many are kept free for operators, who look into what is wrong just when everybody looks."""

    event_stream_seconds: float = Field(default=600.0, gt=0)
    """How long an event stream lasts at most; its last event then says to connect again. A reader that is gone without a word holds its
    place for no longer."""

    @field_validator("event_streams_reserved")
    @classmethod
    def _leaves_room(cls, reserved: int, info: ValidationInfo) -> int:
        limit = info.data.get("event_streams_process_limit")
        if limit is not None and reserved >= limit:
            raise ValueError(f"customers need a place too: less than EVENT_STREAMS_PROCESS_LIMIT, which is {limit}")
        return reserved

    def tokens(self) -> str:
        """The JSON with the API's tokens. Raises BadSetting when the file cannot be read."""
        if self.api_tokens_file is None:
            return self.api_tokens.get_secret_value()
        try:
            return self.api_tokens_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadSetting(f"API_TOKENS_FILE is {str(self.api_tokens_file)!r}: {error}") from None

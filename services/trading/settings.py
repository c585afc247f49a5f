"""The trading service's settings, from the environment; see chassis.settings for the ones every service has."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, field_validator

from chassis.settings import ServiceSettings
from trading.domain.portfolio import FeeSchedule


class Instrument(BaseModel):
    """A symbol: its number in engine and journal, which never changes its meaning, and its smallest step of price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int = Field(gt=0)
    tick: str = "0.01"
    tick_value_minor: int = Field(default=1, gt=0)
    """Value of one lot for one tick of price, in minor units of the currency."""
    collar_bp: int = Field(default=5000, ge=0, le=10_000)
    """How far from the reference price a limit may be, in hundredths of a percent."""


COMPANY = "VENUE"
"""TargetCompID of clients."""

_INSTRUMENTS = TypeAdapter(dict[str, Instrument])
_SYMBOLS = json.dumps({name: {"id": id} for id, name in enumerate(("AAPL", "FB", "GOOG", "IBM", "MSFT"), start=1)})


class Settings(ServiceSettings):
    """All of the trading service's settings. A field's name in capitals is its environment variable."""

    data_dir: Path = Path("data")
    """Engine pool only: the folder of its shard, with journal and snapshots. The same one at every start, and nobody else's."""

    shard: int = Field(default=0, ge=0)
    """Engine pool only: number of its shard. Positions go by it, so it stays with `data_dir`."""

    acknowledgement_level: Literal["process", "disk"] = "process"
    """What an acknowledgement promises: `process` survives a SIGKILL, `disk` a power failure and costs an fdatasync."""

    fix_port: int = Field(default=9878, ge=0, le=65535)
    """Engine pool only: port of FIX 4.4; 0 takes a free one."""

    door_port: int = Field(default=9879, ge=0, le=65535)
    """Port of the engine pool at which the API hands over requests."""

    engine_host: str = "127.0.0.1"
    """API only: where the engine pool answers."""

    answer_seconds: float = Field(default=5.0, gt=0, le=60)
    """API only: how long the engine's answer is waited for. An order without one is unknown until it is asked for by its client id."""

    engine_core: int | None = Field(default=None, ge=0)
    """Engine pool only: the core on which the engine spins for its next input. Without it the engine sleeps until one comes."""

    silent_seconds: float = Field(default=0.6, ge=0.3, le=300)
    """Engine pool only: engine and gateway are replaced when one of them shows no sign of life for so long, although it had a core or asked
    for none."""

    snapshot_inputs: int = Field(default=20_000, ge=1)
    """Engine pool only: inputs between two snapshots. A start reads as many again, at roughly 100,000 a second on a busy machine."""

    journal_segment_bytes: int = Field(default=64 << 20, ge=1 << 20, le=1 << 30, multiple_of=4096)
    """Engine pool only: size of the journal's next files, one of which is made ahead. An eighth of it has to hold what is committed
    together, so less than the default is for small volumes."""

    symbols: str = _SYMBOLS
    """The instruments as JSON: `{"AAPL": {"id": 1, "tick": "0.01"}}`. A number stays with its symbol for ever."""

    heads_file: Path | None = None
    """Engine pool only: where signed heads of the journal are appended, on another volume than `data_dir`. Without it none are signed."""

    heads_key_file: Path | None = None
    """Engine pool only: the file of the key that signs them. Goes with `heads_file`."""

    maker_fee_ppm: int = Field(default=0, ge=0, le=1_000_000)
    """Portfolio pool only: fee of an execution for the order that rested, in parts per million of its value. A change counts from the next
    execution that is applied."""

    taker_fee_ppm: int = Field(default=0, ge=0, le=1_000_000)
    """The same for the order that arrived."""

    portfolio_prefetch_batches: int = Field(default=8, ge=1, le=1000)
    """Most batches of journals (about 512 KiB each) that one worker of the portfolio pool holds; half of them are applied together."""

    portfolio_window_ms: float = Field(default=100.0, ge=1, le=5000)
    """How long a batch waits in a worker of the portfolio pool for others."""

    feed_url: str = ""
    """Market pool only: the data feed that it follows, `http://host:port`."""

    feed_name: str = Field(default="market", min_length=1, max_length=100)
    """Under which name candles and last prices of the feed are kept. Another feed needs another name: its numbers begin anew."""

    feed_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    """Market pool only: after so long without a byte the feed is called again."""

    feed_band_bp: int = Field(default=1000, ge=0, le=10_000)
    """Market pool only: how far a trade may be from the last one, in hundredths of a percent, to be believed; 0 for any."""

    feed_gap_seconds: float = Field(default=5.0, gt=0)
    """Market pool only: how long ticks that are missing are asked for before they are given up."""

    reference_every_seconds: float = Field(default=0.0, ge=0)
    """How often the engine is told the feed's last prices, around which its collars lie and by which positions are valued. 0: operators
    tell them. Beat and engine pool have the same."""

    latency_p50_budget_us: float = Field(default=0.0, ge=0)
    """Engine pool only: an alert is written when half of the inputs of an interval took so long or longer; 0 = never. Measured from
    taking an input out of the ring until the outcomes of its batch are handed over, in powers of two."""

    latency_p99_budget_us: float = Field(default=2000.0, ge=0)
    """The same for one input in a hundred."""

    latency_every_seconds: float = Field(default=10.0, gt=0)
    """How often latency is measured."""

    latency_kept_days: int = Field(default=7, ge=1)
    """How long measures are kept."""

    market_calendar: str = ""
    """By whose sessions the symbols are opened and closed, a name of exchange-calendars such as `XNYS`. Empty: persons do it. Beat, upkeep
    and engine pool have the same; the upkeep pool needs `trading[calendar]`."""

    sessions_every_seconds: float = Field(default=5.0, gt=0)
    """How often it is looked whether a session opened or closed."""

    live_streams_process_limit: int = Field(default=200, ge=1)
    """API only: WebSockets of a process at most; a tenth of them are for operators."""

    live_streams_client_limit: int = Field(default=20, ge=1)
    """API only: the same of one client."""

    collect_every_seconds: float = Field(default=10.0, gt=0)
    """How often the broker's dead letters are brought into the table of what is parked."""

    begin_day_every_seconds: float = Field(default=60.0, gt=0)
    """How often the engine is told which day it is; the first time of a day begins it."""

    api_tokens: SecretStr = SecretStr("")
    """Who may come in, by token, as JSON. Clients: `{"token": {"session": 1, "company": "CLIENT1", "accounts": [1]}}`, whose token is
    also their password in FIX; operators: `{"another": {"person": 1}}`."""

    @field_validator("symbols")
    @classmethod
    def _are_instruments(cls, value: str) -> str:
        found = _INSTRUMENTS.validate_json(value)
        if len({one.id for one in found.values()}) != len(found):
            raise ValueError("two symbols have one id")
        return value

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments by their symbols."""
        return _INSTRUMENTS.validate_json(self.symbols)

    @property
    def fees(self) -> FeeSchedule:
        """What an execution costs."""
        return FeeSchedule(self.maker_fee_ppm, self.taker_fee_ppm)

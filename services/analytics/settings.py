"""The analytics' settings, from the environment; see chassis.settings for the ones every service has."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from analytics.domain.parts import MOST_SHARDS
from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """All of the analytics' settings. A field's name in capitals is its environment variable."""

    counters_url: str = Field(repr=False)
    """Redis or Valkey that holds the counters, and nothing else: `redis://…/0`, with `appendfsync always` and `noeviction`. Required."""

    recommendations_url: str = Field(default="", repr=False)
    """Redis or Valkey, one server, that holds recommendations and what they are learned from. Empty is the store of the counters, which
    answers nobody during a flush; who asks for recommendations while many events come waits less with a server of their own."""

    counters_timeout_seconds: float = Field(default=5.0, gt=0, le=20)
    """How long one call to the counters may take; below 30 s, after which a worker whose loop stands still counts as dead."""

    counters_shards: int = Field(default=1, ge=1, le=MOST_SHARDS)
    """Into how many shards the counters are divided. With 1 `COUNTERS_URL` is one server; with more it is a node of a Redis Cluster, or
    several with commas between, and each shard has a queue and needs a pool of its own. Fixed with the store: another number means other
    keys, so the counters would begin anew."""

    counters_replicas: int = Field(default=0, ge=0, le=5)
    """How many replicas must have a flush before its batches are acknowledged (`WAIT`). With as many as a primary has, a failover loses
    nothing, and a replica that is away stops its shard. 0: what was not replicated yet is lost with its primary."""

    window_ms: float = Field(default=250.0, ge=1, le=5000)
    """How long a batch waits in an aggregator for others, by the aggregator's clock."""

    prefetch_batches: int = Field(default=32, ge=1, le=1000)
    """Most batches that one aggregator holds; half of them end a window. A batch has at most about 10,000 events."""

    minute_retention_hours: int = Field(default=48, ge=2)
    """How long counters by minute are kept after the first event of that minute was counted."""

    hour_retention_days: int = Field(default=90, ge=1)
    """How long counters by hour are kept after the first event of that hour was counted."""

    late_hours: float = Field(default=24.0, gt=0)
    """An event older than this when it arrives is late: it is counted by kind only. Well below the retention of minutes."""

    future_seconds: float = Field(default=300.0, ge=0)
    """An event further ahead than this when it arrives has a wrong clock: it is counted by kind only."""

    user_events_per_minute: int = Field(default=0, ge=0)
    """What a user sends beyond this within a minute, by the clock and through one edge process, is flagged: it is counted by kind only. 0
    flags nobody, because only who knows the clients knows what is too much."""

    dedup_hours: float = Field(default=24.0, gt=0)
    """How long the ids of counted parts are kept (54 B each). A batch older than half of it is parked, and a client must repeat a request
    within the other half, so that no id is forgotten while its part can still come."""

    trends: bool = True
    """Whether an aggregator works out trends beside its counting."""

    trends_report_seconds: float = Field(default=1.0, gt=0, le=5)
    """How often an aggregator adds what it counted to its trends and reports them."""

    trends_save_seconds: float = Field(default=30.0, gt=0)
    """How often an aggregator saves its sums (3.5 MB), so that another one takes them over when it dies; it loses what came since."""

    trends_live_seconds: float = Field(default=10.0, gt=0)
    """An aggregator that has not reported for this long is dead, and another one takes its sums over. Clocks differ by less than this."""

    recommendations: bool = True
    """Whether an aggregator notes engagements for recommendations beside its counting."""

    engagements_per_second: int = Field(default=2000, ge=1)
    """Likes, shares and comments that one aggregator notes each second; more are counted, and left out of the recommendations."""

    engagement_retention_days: int = Field(default=90, ge=1)
    """How long a user's history and recommendations are kept after the last engagement."""

    recommend_every_seconds: float = Field(default=5.0, gt=0)
    """How often users with new engagements are sent to be learned."""

    recommend_chunk: int = Field(default=50, ge=1, le=1000)
    """Users of one task."""

    recommend_chunks: int = Field(default=20, ge=1, le=1000)
    """Most tasks that are sent at a time."""

    recommend_queued: int = Field(default=200, ge=1)
    """Tasks that wait in the queue beyond which no more are sent, because users are sent again: the queue would grow without an end while
    fewer users are learned than engage."""

    archive_url: str = ""
    """Folder of the archive: `file:///var/lib/archive`, or an address of object storage that fsspec knows. Empty: there is no archive, and
    no batch is copied to its queue. All processes of the service must have the same value."""

    archive_window_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long a batch waits in an archiver for others, because each window is a file of Parquet."""

    archive_prefetch_batches: int = Field(default=64, ge=1, le=1000)
    """Most batches that one archiver holds (about 100 B an event); half of them end a window."""

    archive_retention_days: int = Field(default=35, ge=2)
    """How long archived events are kept, by the time at which an edge published them."""

    report_every_seconds: float = Field(default=300.0, gt=0)
    """How often missing reports are made, where there is an archive; they are put into its folder `reports`."""

    report_settle_seconds: float = Field(default=300.0, ge=0)
    """How long after its end a period is reported: what still comes then makes a revision."""

    report_days: int = Field(default=7, ge=1, le=90)
    """How many days back missing and changed reports are made. Less than the archive is kept."""

    report_zone: str = "UTC"
    """Whose calendar the days of reports are of, for example Asia/Kathmandu."""

    batch_events: int = Field(default=5000, ge=1, le=100_000)
    """A batch is published as soon as it has this many events."""

    batch_linger_ms: float = Field(default=50.0, ge=0, le=5000)
    """How long an event waits in the edge for others to share its batch."""

    buffer_events: int = Field(default=200_000, ge=1)
    """Events that one edge process holds without a confirm (about 0.5 KB each); more are answered 503."""

    answer_seconds: float = Field(default=1.0, gt=0, le=60)
    """A request whose events are not confirmed by then is answered 503. They may be counted all the same, so the client repeats it with
    the same key. The default is twenty times the 99th percentile at 100,000 events a second on two quiet cores
    (docs/performance-analytics.md). Longer holds more requests in the edge while the broker is away."""

    publishers: int = Field(default=2, ge=1, le=32)
    """Batches that one edge process publishes at a time."""

    backfill_events_per_second: int = Field(default=20_000, ge=1)
    """What one edge process takes by `POST /backfill`, so that history does not keep the present waiting; more is answered 429."""

    body_limit_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Longest body as it travels."""

    decoded_limit_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Longest body after decompression."""

    ratio_limit: float = Field(default=100.0, gt=1)
    """How many times longer a body may be after decompression; JSON of events reaches about 20."""

    body_events_limit: int = Field(default=50_000, ge=1)
    """Most events of one body."""

    range_hours_limit: int = Field(default=48, ge=1)
    """Longest time range that one query by minute may ask for; by hour it is 60 times as long."""

    event_streams_process_limit: int = Field(default=100, ge=1)
    """Live pages that one API process serves at a time; the next one gets a 503."""

    event_stream_seconds: float = Field(default=600.0, gt=0)
    """How long an event stream lasts at most; its last event then says to connect again, which the page does by itself."""

    collect_every_seconds: float = Field(default=10.0, gt=0)
    """How often the broker's dead letters are brought into the table of what is parked."""

    api_tokens: SecretStr = SecretStr("")
    """Who may use the API: JSON, `{"token": {"client": "web"}, "another": {"role": "analyst"}}`. Clients send, analysts read."""

    @field_validator("counters_url", "recommendations_url")
    @classmethod
    def _is_redis(cls, value: str, told: ValidationInfo) -> str:
        if (value or told.field_name == "counters_url") and not value.startswith(("redis://", "rediss://")):
            raise ValueError("is not redis://host…")
        return value

    @field_validator("archive_url")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        if value and "://" not in value:
            raise ValueError("is not protocol://path")
        return value.rstrip("/")

    @field_validator("report_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no zone of the time zone database") from None
        return value

    @property
    def dedup_ms(self) -> int:
        """How long part ids are kept, in milliseconds."""
        return int(self.dedup_hours * 3_600_000)

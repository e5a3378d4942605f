"""What can be set, from the environment. Every duration is in seconds and may go down to 0.1 (T-2)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The server's and the worker's settings. Names in the environment are the upper-case field names."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", env_ignore_empty=True)

    environment: Literal["development", "production"] = Field("development", alias="COFOUNDER_ENV")
    data: Path = Field(Path(".cofounder"), alias="COFOUNDER_DATA")
    log_level: str = Field("INFO", alias="COFOUNDER_LOG_LEVEL")

    # Peers (T-1)
    database_url: SecretStr = Field(SecretStr(""), alias="DATABASE_URL")
    redis_url: SecretStr = Field(SecretStr(""), alias="REDIS_URL")
    anthropic_api_key: SecretStr = Field(SecretStr(""), alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str = Field("https://api.anthropic.com", alias="ANTHROPIC_BASE_URL")
    # A JSON object: {"architect": "model-id", …, "default": "model-id"}; roles left out take the default.
    models: dict[str, str] = Field(default_factory=dict, alias="COFOUNDER_MODELS")
    # A JSON file of operator prices; see usage/prices.py.
    prices_file: Path | None = Field(None, alias="COFOUNDER_PRICES")

    # Blobs lie in Postgres, or in this S3 bucket (the extra `s3`). Without a key of its own, the store takes the
    # credentials that the environment gives: a container's or a machine's role.
    blob_bucket: str = Field("", alias="COFOUNDER_BLOB_BUCKET")
    blob_prefix: str = Field("", alias="COFOUNDER_BLOB_PREFIX")
    # Empty for AWS's own.
    blob_endpoint: str = Field("", alias="COFOUNDER_BLOB_ENDPOINT")
    blob_region: str = Field("", alias="AWS_REGION")
    blob_access_key_id: str = Field("", alias="AWS_ACCESS_KEY_ID")
    blob_secret_access_key: SecretStr = Field(SecretStr(""), alias="AWS_SECRET_ACCESS_KEY")
    blob_timeout_seconds: float = Field(30.0, alias="COFOUNDER_BLOB_TIMEOUT_SECONDS", ge=0.1)

    # The edge
    host: str = Field("127.0.0.1", alias="COFOUNDER_HOST")
    grpc_port: int = Field(50051, alias="GRPC_PORT")
    # Signs and verifies development tokens; refused in production.
    key_file: Path | None = Field(None, alias="COFOUNDER_KEY_FILE")
    # How long a call that is no stream may take, whatever its client's deadline.
    call_seconds: float = Field(60.0, alias="COFOUNDER_CALL_SECONDS", ge=0.1)
    # How long the reader of a stream may take nothing.
    write_seconds: float = Field(30.0, alias="COFOUNDER_WRITE_SECONDS", ge=0.1)
    drain_seconds: float = Field(10.0, alias="COFOUNDER_DRAIN_SECONDS", ge=0.1)
    progress_seconds: float = Field(15.0, alias="COFOUNDER_PROGRESS_SECONDS", ge=0.1)
    reauthorize_seconds: float = Field(60.0, alias="COFOUNDER_REAUTHORIZE_SECONDS", ge=0.1)
    max_message_bytes: int = Field(4 * 1024 * 1024, alias="COFOUNDER_MAX_MESSAGE_BYTES")
    max_streams_per_user: int = Field(100, alias="COFOUNDER_MAX_STREAMS_PER_USER")
    max_calls_per_second: int = Field(200, alias="COFOUNDER_MAX_CALLS_PER_SECOND")

    # The log
    poll_seconds: float = Field(1.0, alias="COFOUNDER_POLL_SECONDS", ge=0.1)

    # The queue
    lease_seconds: float = Field(15.0, alias="COFOUNDER_LEASE_SECONDS", ge=0.1)
    heartbeat_seconds: float = Field(5.0, alias="COFOUNDER_HEARTBEAT_SECONDS", ge=0.1)
    sweep_seconds: float = Field(2.0, alias="COFOUNDER_SWEEP_SECONDS", ge=0.1)
    # Builds put off to another day begin within so many seconds after midnight UTC.
    day_spread_seconds: float = Field(900.0, alias="COFOUNDER_DAY_SPREAD_SECONDS", ge=0.1)
    # How soon a worker notices that a plan was changed, or that it is to take no more builds.
    board_seconds: float = Field(2.0, alias="COFOUNDER_BOARD_SECONDS", ge=0.1)
    max_queued: int = Field(10_000, alias="COFOUNDER_MAX_QUEUED")
    max_crashes: int = Field(3, alias="COFOUNDER_MAX_CRASHES")
    # A FIFO in which a worker writes a line once it takes builds: whoever started it may be waiting for that.
    ready_fifo: Path | None = Field(None, alias="COFOUNDER_READY_FIFO")
    worker_slots: int = Field(4, alias="COFOUNDER_WORKER_SLOTS", ge=1)

    # Calls of a model: how often one is tried, and how long it and the waits between two tries may take; each is
    # described in agent/patience.py.
    model_attempts: int = Field(5, alias="COFOUNDER_MODEL_ATTEMPTS", ge=1)
    model_backoff_seconds: float = Field(1.0, alias="COFOUNDER_MODEL_BACKOFF_SECONDS", ge=0.1)
    model_longest_wait_seconds: float = Field(30.0, alias="COFOUNDER_MODEL_LONGEST_WAIT_SECONDS", ge=0.1)
    model_connect_seconds: float = Field(10.0, alias="COFOUNDER_MODEL_CONNECT_SECONDS", ge=0.1)
    model_first_byte_seconds: float = Field(120.0, alias="COFOUNDER_MODEL_FIRST_BYTE_SECONDS", ge=0.1)
    model_silence_seconds: float = Field(60.0, alias="COFOUNDER_MODEL_SILENCE_SECONDS", ge=0.1)
    model_total_seconds: float = Field(900.0, alias="COFOUNDER_MODEL_TOTAL_SECONDS", ge=0.1)

    # The meter
    # How long a call's reservation may stay open before the sweeper closes it; longer than any call takes.
    reservation_seconds: float = Field(1200.0, alias="COFOUNDER_RESERVATION_SECONDS", ge=0.1)
    # What everybody's calls together may cost a UTC day, in millionths of a dollar: the breaker. -1 for none.
    breaker_microdollars: int = Field(10_000_000_000, alias="COFOUNDER_BREAKER_MICRODOLLARS", ge=-1)

    # The agents
    # True where a scripted model stands in for a provider: said in every build's first event.
    rehearsal: bool = Field(False, alias="COFOUNDER_REHEARSAL")
    rehearsal_port: int = Field(0, alias="COFOUNDER_REHEARSAL_PORT")
    # Seconds between two pieces of scripted text; 0 as fast as it goes.
    rehearsal_pace: float = Field(0.02, alias="COFOUNDER_REHEARSAL_PACE", ge=0)
    allow_weak_sandbox: bool = Field(False, alias="COFOUNDER_ALLOW_WEAK_SANDBOX")

    # Failpoints (T-5), refused in production; armed by the testing entry point only.
    failpoints: str = Field("", alias="COFOUNDER_FAILPOINTS")

    @property
    def production(self) -> bool:
        return self.environment == "production"

"""What can be set, from the environment. Durations are in seconds and may go down to 0.1 (T-2); sizes are in bytes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Duration = Annotated[float, Field(ge=0.1)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """The gateway's settings. Names without an alias are read from `COFOUNDER_GATEWAY_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="COFOUNDER_GATEWAY_", populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    # The door
    host: str = Field(default="127.0.0.1", validation_alias="COFOUNDER_HOST")
    port: int = Field(default=8080, validation_alias="PORT", ge=0, le=65535)
    environment: Literal["development", "production"] = Field(default="development", validation_alias="COFOUNDER_ENV")
    log_level: str = Field(default="INFO", validation_alias="COFOUNDER_LOG_LEVEL")
    # Exact origins, separated by commas. Empty: this machine's own in development, none in production.
    allowed_origins: str = Field(default="", validation_alias="COFOUNDER_ALLOWED_ORIGINS")
    static_folder: Path = Path(__file__).parent / "static"

    # The server
    server: str = Field(default="127.0.0.1:50051", validation_alias="COFOUNDER_SERVER")
    # Holds the gateway's own bearer token. Read again at each use, so that it may be replaced.
    service_token_file: Path | None = Field(default=None, validation_alias="COFOUNDER_SERVICE_TOKEN_FILE")
    # The server allows a ping every 20 s (C-11): never ask more often than that.
    keepalive_seconds: float = Field(default=30.0, ge=20.0)
    keepalive_timeout_seconds: Duration = 10.0
    reconnect_seconds: Duration = 0.1
    reconnect_max_seconds: Duration = 5.0
    authorize_deadline_seconds: Duration = 10.0
    read_deadline_seconds: Duration = 10.0
    call_deadline_seconds: Duration = 60.0
    stream_call_deadline_seconds: Duration = 900.0
    # A response of a call above this ends the call with RESOURCE_EXHAUSTED.
    max_response_bytes: Count = 4 * 1024 * 1024

    # A socket's time
    hello_deadline_seconds: Duration = 10.0
    # Something arrives at least this often; sent a little early, so that the promise holds on the way.
    heartbeat_seconds: Duration = 15.0
    write_deadline_seconds: Duration = 10.0
    # How long a socket that is told to go may take to read the goodbye before it is cut.
    goodbye_seconds: Duration = 2.0
    reauthorize_seconds: Duration = 60.0
    ping_seconds: Duration = 20.0
    drain_seconds: Duration = 5.0

    # A socket's room. With these a connection holds at most about
    # max_pending_bytes + max_batch_bytes + send_buffer_bytes (C-8).
    max_frame_bytes: Count = 64 * 1024
    max_batch_bytes: Count = 256 * 1024
    max_pending_bytes: Count = 8 * 1024 * 1024
    send_buffer_bytes: Count = 256 * 1024
    max_watches: Count = 32
    max_calls: Count = 8
    # Frames a second that a socket may send for long, and how many at once; beyond, its reading is slowed.
    frames_per_second: float = Field(default=50.0, gt=0)
    frames_burst: Count = 200

    # The gateway's room
    max_sockets: Count = 5_000
    # Beyond, the one that has waited longest without a hello is closed.
    max_unauthenticated: Count = 256
    ring_bytes: Count = 512 * 1024
    # Stays followed after its last watcher, for those who come back at once.
    linger_seconds: Duration = 5.0

    @property
    def development(self) -> bool:
        return self.environment == "development"

    def origins(self, port: int) -> frozenset[str]:
        """Returns the origins that may open a socket, given the port that was really bound."""
        named = frozenset(origin.strip().rstrip("/") for origin in self.allowed_origins.split(",") if origin.strip())
        if named or not self.development:
            return named
        return frozenset(f"http://{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]"))

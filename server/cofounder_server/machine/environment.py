"""What each child process gets to know: the caller's environment, plus what it needs, minus what is not its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What pays for model calls belongs to the worker, the one process that makes them.
_MODEL_KEYS = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"})
# Who only speaks gRPC or HTTP has no business in the stores.
_STORES = frozenset({"DATABASE_URL", "REDIS_URL"})


def is_rehearsal(environ: Mapping[str, str]) -> bool:
    """Whether the model's words must be scripted: there is neither a key nor another server of the Messages API."""
    return not environ.get("ANTHROPIC_API_KEY") and not environ.get("ANTHROPIC_BASE_URL")


def without_model_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a process that makes no model calls."""
    return _without(environ, _MODEL_KEYS)


@dataclass(frozen=True)
class Environment:
    """The environments of one running stack. `rehearsal_port` is None when a real model answers."""

    environ: Mapping[str, str]
    data: Path
    database_url: str
    redis_url: str
    port: int
    grpc_port: int
    rehearsal_port: int | None

    @property
    def key_file(self) -> Path:
        return self.data / "keys" / "development.pem"

    def one_time(self) -> dict[str, str]:
        """For commands of the server that run once, such as migrate."""
        return without_model_keys(self.environ) | self._stores()

    def server(self) -> dict[str, str]:
        return (
            self.one_time()
            | self._rehearsal()
            | {
                "GRPC_PORT": str(self.grpc_port),
                "COFOUNDER_KEY_FILE": str(self.key_file),
            }
        )

    def worker(self) -> dict[str, str]:
        if self.rehearsal_port is None:
            return dict(self.environ) | self._stores()
        return (
            self.one_time()
            | self._rehearsal()
            | {
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.rehearsal_port}",
                "ANTHROPIC_API_KEY": "rehearsal",
            }
        )

    def rehearsal_model(self) -> dict[str, str]:
        return _without(self.environ, _MODEL_KEYS | _STORES) | {"COFOUNDER_REHEARSAL_PORT": str(self.rehearsal_port)}

    def gateway(self) -> dict[str, str]:
        return _without(self.environ, _MODEL_KEYS | _STORES) | {
            "PORT": str(self.port),
            "COFOUNDER_SERVER": f"127.0.0.1:{self.grpc_port}",
            "COFOUNDER_SERVICE_TOKEN_FILE": str(self.data / "keys" / "gateway.token"),
        }

    def cli(self) -> dict[str, str]:
        return _without(self.environ, _MODEL_KEYS | _STORES) | {
            "COFOUNDER_GRPC": f"127.0.0.1:{self.grpc_port}",
            "COFOUNDER_TOKEN_FILE": str(self.data / "keys" / "me.token"),
        }

    def _stores(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url, "COFOUNDER_DATA": str(self.data)}

    def _rehearsal(self) -> dict[str, str]:
        return {} if self.rehearsal_port is None else {"COFOUNDER_REHEARSAL": "1"}


def _without(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}

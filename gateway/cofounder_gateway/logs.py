"""JSON logs on stderr, one object a line, without anything that could be a credential."""

import logging
import re
import sys
from collections.abc import Mapping

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_KEYS = frozenset({"token", "authorization", "cookie", "password", "secret", "access_token"})
_SECRET_TEXT = re.compile(r"(?i)(bearer\s+|token=|eyJ)[A-Za-z0-9._~+/=-]{8,}")


def configure(*, level: str = "INFO") -> None:
    """Sends our logs and those of the libraries to stderr as JSON. Call once, from the composition root."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # Libraries log addresses with their query strings at INFO: from them, warnings only.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _redact(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return {key: "[redacted]" if key.lower() in _SECRET_KEYS else _clean(value) for key, value in event.items()}


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(r"\1[redacted]", value)
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    return value

"""Structured logs: one JSON object a line, with request id and tenant, and no secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|api_key|pepper|master_key", re.IGNORECASE)
_CREDENTIAL = re.compile(r"sntl_[a-z]+_[A-Za-z0-9]{8,}")
_LINK_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^@/\s]+@")


def scrub(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of a log entry: by the name of a field, and by the look of a value."""
    for name, value in entry.items():
        if _SECRET_NAMES.search(name):
            entry[name] = "[removed]"
        elif isinstance(value, str):
            entry[name] = _LINK_PASSWORD.sub(r"\1[removed]@", _CREDENTIAL.sub("[removed]", value))
    return entry


def configure_logs(level: str = "INFO") -> None:
    """Send this process's logs to standard error."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            scrub,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

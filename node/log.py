"""Logging: all notices of the core and all events of the shell are logged here."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
logger = logging.getLogger("bmw-node")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        line = {"time": int(record.created * 1000), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(line | fields, default=_text)


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        pairs = " ".join(f"{name}={_text(value)}" for name, value in fields.items())
        stamp = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        return f"{stamp}.{int(record.msecs):03d} {record.levelname.lower():<8} {record.getMessage()} {pairs}".rstrip()


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def set_up_logging(level: str, format_: str) -> None:
    """Log to standard error: `text` for people, `json` for collectors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if format_ == "json" else _TextLines())
    logger.handlers = [handler]
    logger.setLevel(LEVELS[level])
    logger.propagate = False


def log(name: str, level: str, fields: dict[str, Any]) -> None:
    logger.log(LEVELS[level], name, extra={"fields": fields})

"""One log for everything: structlog, with arq's and uvicorn's records in the same form."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.redaction import redact
from shared.settings import Settings

# What ends a line, moves the cursor, or reorders what stands beside it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def configure_logging(settings: Settings, process: str) -> None:
    """Send all log records to stderr: JSON lines in production, coloured text on a terminal."""
    as_text = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())

    def name_the_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_the_process,
    ]
    render: list[Processor]
    if as_text:
        # Tracebacks without local variables, among which are keys.
        render = [
            _keep_to_one_line,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    else:
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]

    render.append(_redact_line)

    level = logging.getLevelName(settings.log_level.upper())
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("arq.worker", "httpx", "httpcore", "LiteLLM", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def _keep_to_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Show control characters as escapes, so that no text looks like a line; JSON does so by itself."""
    return {_escape(name): _escape(value) for name, value in event.items()}


def _escape(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], value)


def _redact_line(_: WrappedLogger, __: str, line: EventDict | str) -> str:
    """The last net: whatever was logged, and whoever logged it."""
    assert isinstance(line, str), "renderers come first"
    return redact(line)

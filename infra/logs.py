"""Structured logs on standard error."""

import logging
import sys

import structlog

from infra.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Sends every log line, the libraries' too, through one format."""
    level = logging.getLevelName(settings.logging.level.upper())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.logging.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    marks: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*marks, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*marks, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    if level > logging.DEBUG:
        # While a broker is away they say so many times a second; we say it once, in our words.
        for noisy in ("aiokafka", "kafka", "faststream"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)

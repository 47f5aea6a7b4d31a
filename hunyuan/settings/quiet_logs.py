"""What HTTP libraries write into the log goes through the redaction: at DEBUG they show addresses and headers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from ..errors import HunyuanError
from .redaction import MASK

_LIBRARIES = frozenset({"urllib3", "requests", "botocore", "boto3", "s3transfer", "http"})
_SIGNATURE = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")  # of S3: lets in for a while


def redact_logs(redact: Callable[[str], str]) -> None:
    """From now on, for all of the process. redact: asked for each record; where it raises, nothing of it is shown.

    By the factory of records: a filter on a logger does not see what the loggers below it write.
    """
    make = logging.getLogRecordFactory()

    def make_redacted(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        if record.name.partition(".")[0] in _LIBRARIES:
            _redact(record, redact)
        return record

    logging.setLogRecordFactory(make_redacted)


def _redact(record: logging.LogRecord, redact: Callable[[str], str]) -> None:
    try:
        record.msg, record.args = _SIGNATURE.sub(MASK, redact(record.getMessage())), ()
        if record.exc_info:  # what is set already is what formatters show
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
    except (HunyuanError, TypeError, ValueError):  # settings that cannot be read; arguments that do not fit
        record.msg, record.args, record.exc_info = MASK, (), None

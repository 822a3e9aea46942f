"""Warnings and log records of libraries: silent, because the commands say what a person needs. With
RECONCILER_DEBUG they go to standard error, but for the HTTP client's: those name what was sent where.
"""

from __future__ import annotations

import logging
import os
import warnings

_NEVER = ("httpx2", "httpcore2", "httpx", "httpcore")


def is_debugging() -> bool:
    """Whether the operator asked for tracebacks and log records."""
    return bool(os.environ.get("RECONCILER_DEBUG"))


def configure() -> None:
    """Route log records and warnings, once, before anything can emit one."""
    debugging = is_debugging()
    root = logging.getLogger()
    root.handlers[:] = [logging.StreamHandler() if debugging else logging.NullHandler()]
    root.setLevel(logging.DEBUG if debugging else logging.CRITICAL)
    warnings.simplefilter("default" if debugging else "ignore")
    logging.captureWarnings(True)
    for name in _NEVER:
        logging.getLogger(name).disabled = True
        logging.getLogger(name).propagate = False

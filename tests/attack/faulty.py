"""The real application with one forced fault; copied beside `app` into the tree under attack."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app import create_app as create_real_app
from app.submissions import service

MARK = "FAULT-500"


def create_app() -> Flask:
    """A drop whose words hold MARK fails with everything that was in hand in its message."""
    real = service.drop

    def drop(*given: Any, **more: Any) -> Any:
        if any(MARK in str(getattr(value, "text", "")) for value in given):
            raise RuntimeError(f"{given} {[getattr(v, 'text', '') for v in given]}")
        return real(*given, **more)

    service.drop = drop
    return create_real_app()

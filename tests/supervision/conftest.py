"""The campaign of the campaigns' tests."""

from __future__ import annotations

from tests.campaigns.conftest import drive

__all__ = ["drive"]

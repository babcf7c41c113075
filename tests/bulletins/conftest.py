"""The branch and its neighbour of the cases' tests; a real post office."""

from __future__ import annotations

from tests.cases.conftest import scene
from tests.notifications.conftest import post_office

__all__ = ["post_office", "scene"]

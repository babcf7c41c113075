"""The branch and its neighbour of the cases' tests."""

from __future__ import annotations

from tests.cases.conftest import scene

__all__ = ["scene"]

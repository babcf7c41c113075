"""What the address says of language and view, as a page follows it."""

from __future__ import annotations

from flask import Flask

from app import i18n


def test_a_list_has_four_things_a_page_in_the_large_view(app: Flask) -> None:
    with app.test_request_context("/answers?view=large"):
        assert i18n.a_page(20) == 4
    with app.test_request_context("/answers"):
        assert i18n.a_page(20) == 20

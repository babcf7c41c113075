"""Who may open what: every route stands in this table; a route without a row fails."""

from __future__ import annotations

import pytest
from flask import Flask

from app.staff.models import Role

PUBLIC, DOORSTEP, ANY_STAFF = "public", "doorstep", frozenset[Role]()
KEEPER = frozenset({Role.KEEPER})

TABLE: dict[tuple[str, str], object] = {
    ("GET", "/static/<path:filename>"): PUBLIC,
    ("GET", "/"): PUBLIC,
    ("GET", "/units"): PUBLIC,
    ("GET", "/units/<slug>"): PUBLIC,
    ("GET", "/box/<slug>"): PUBLIC,
    ("POST", "/box/<slug>"): PUBLIC,
    ("GET", "/receipt"): PUBLIC,
    ("POST", "/receipt"): PUBLIC,
    ("POST", "/receipt/reply"): PUBLIC,
    ("POST", "/receipt/rate"): PUBLIC,
    ("POST", "/receipt/publish"): PUBLIC,
    ("POST", "/receipt/withdraw"): PUBLIC,
    ("POST", "/receipt/burn"): PUBLIC,
    ("POST", "/receipt/file"): PUBLIC,
    ("GET", "/answers"): PUBLIC,
    ("GET", "/log"): PUBLIC,
    ("GET", "/log/checkpoint"): PUBLIC,
    ("GET", "/log/entries"): PUBLIC,
    ("GET", "/log/proof"): PUBLIC,
    ("GET", "/log/consistency"): PUBLIC,
    ("GET", "/log/verifier.py"): PUBLIC,
    ("GET", "/log/verify"): PUBLIC,
    ("POST", "/log/verify"): PUBLIC,
    ("GET", "/log/sheet"): PUBLIC,
    ("GET", "/protection"): PUBLIC,
    ("POST", "/leave"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/desk"): DOORSTEP,
    ("GET", "/desk/sign-in"): DOORSTEP,
    ("POST", "/desk/sign-in"): DOORSTEP,
    ("GET", "/desk/second-factor"): DOORSTEP,
    ("POST", "/desk/second-factor"): DOORSTEP,
    ("POST", "/desk/sign-out"): DOORSTEP,
    ("GET", "/desk/queue"): ANY_STAFF,
    ("GET", "/desk/cases/<case_id>"): KEEPER,
    ("POST", "/desk/cases/<case_id>/<any(accept,decline,draft,discard,approve):move>"): KEEPER,
}


def routes(app: Flask) -> dict[tuple[str, str], str]:
    return {
        (method, rule.rule): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_stands_in_the_table_with_its_rule(app: Flask) -> None:
    found = routes(app)
    assert found.keys() == TABLE.keys()
    for route, rule in TABLE.items():
        view = app.view_functions[found[route]]
        guarded = getattr(view, "access", PUBLIC)
        expected = None if rule is DOORSTEP else rule
        assert guarded == expected, route


def test_what_lies_under_desk_is_guarded_and_nothing_else_is() -> None:
    for (_method, address), rule in TABLE.items():
        assert address.startswith("/desk") == (rule is not PUBLIC), address


@pytest.mark.parametrize("route", [r for r, rule in TABLE.items() if isinstance(rule, frozenset)])
def test_nobody_enters_the_desk_without_signing_in(app: Flask, route: tuple[str, str]) -> None:
    method, rule = route
    address = rule.replace("<case_id>", "0" * 32).replace(
        "<any(accept,decline,draft,discard,approve):move>", "accept"
    )
    answer = app.test_client().open(address, method=method)
    if method == "GET":
        assert answer.status_code == 303
        assert answer.headers["Location"] == "/desk/sign-in"
    else:
        assert answer.status_code == 403

"""Who may open what: every route stands in this table; a route without a row fails."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.cases.views import MOVE_NAMES
from app.staff.models import Role, RoleAssignment
from config import Config
from tests.cases.test_desk import make_keeper

PUBLIC, DOORSTEP, ANY_STAFF = "public", "doorstep", frozenset[Role]()
HOLDERS = frozenset({Role.KEEPER, Role.SUPERVISOR})
OFFICE = frozenset({Role.OFFICE})
OFFICES = frozenset({Role.OFFICE, Role.OPERATOR})
KEEPERS = frozenset({Role.KEEPER})
BULLETINS = frozenset({Role.KEEPER, Role.SUPERVISOR, Role.OFFICE})
ROUNDS = frozenset({Role.KEEPER, Role.SUPERVISOR, Role.OFFICE})
EVERY_ROLE = frozenset(Role)

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
    ("POST", "/receipt/appeal"): PUBLIC,
    ("POST", "/receipt/blamed"): PUBLIC,
    ("POST", "/receipt/withdraw"): PUBLIC,
    ("POST", "/receipt/burn"): PUBLIC,
    ("POST", "/receipt/file"): PUBLIC,
    ("POST", "/receipt/picture"): PUBLIC,
    ("GET", "/answers"): PUBLIC,
    ("GET", "/answers.atom"): PUBLIC,
    ("GET", "/bulletins"): PUBLIC,
    ("GET", "/bulletins/<bulletin_id>"): PUBLIC,
    ("GET", "/bulletins/<bulletin_id>.pdf"): PUBLIC,
    ("GET", "/bulletins.atom"): PUBLIC,
    ("GET", "/slip"): PUBLIC,
    ("POST", "/slip"): PUBLIC,
    ("GET", "/results"): PUBLIC,
    ("GET", "/results/<round_id>"): PUBLIC,
    ("GET", "/results/<round_id>.pdf"): PUBLIC,
    ("GET", "/results/<round_id>/slips"): PUBLIC,
    ("GET", "/figures"): PUBLIC,
    ("GET", "/figures.csv"): PUBLIC,
    ("GET", "/figures.xlsx"): PUBLIC,
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
    ("GET", "/help"): PUBLIC,
    ("POST", "/leave"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/desk"): DOORSTEP,
    ("GET", "/desk/sign-in"): DOORSTEP,
    ("POST", "/desk/sign-in"): DOORSTEP,
    ("GET", "/desk/second-factor"): DOORSTEP,
    ("POST", "/desk/second-factor"): DOORSTEP,
    ("POST", "/desk/sign-out"): DOORSTEP,
    ("GET", "/desk/invitation/<token>"): DOORSTEP,
    ("POST", "/desk/invitation/<token>"): DOORSTEP,
    ("GET", "/desk/account"): ANY_STAFF,
    ("POST", "/desk/account/password"): ANY_STAFF,
    ("POST", "/desk/account/recovery-codes"): ANY_STAFF,
    ("GET", "/desk/account/second-factor"): ANY_STAFF,
    ("POST", "/desk/account/second-factor"): ANY_STAFF,
    ("POST", "/desk/account/devices/<device_id>/end"): ANY_STAFF,
    ("POST", "/desk/account/desks/end"): ANY_STAFF,
    ("GET", "/desk/staff"): OFFICE | HOLDERS,
    ("POST", "/desk/staff/invite"): OFFICE | HOLDERS,
    ("GET", "/desk/staff/invitations/<invitation_id>"): OFFICE | HOLDERS,
    ("POST", "/desk/staff/invitations/<invitation_id>/withdraw"): OFFICE | HOLDERS,
    ("POST", "/desk/staff/<staff_id>/renew"): OFFICE | HOLDERS,
    ("POST", "/desk/staff/roles/<assignment_id>/take-away"): OFFICE | HOLDERS,
    ("POST", "/desk/staff/boxes/<box_id>/hand-over"): HOLDERS,
    ("POST", "/desk/staff/boxes/<box_id>/rotate"): OFFICE | HOLDERS,
    ("POST", "/desk/staff/boxes/<box_id>/begin"): HOLDERS,
    ("POST", "/desk/staff/boxes/<box_id>/back-up"): HOLDERS,
    ("GET", "/desk/welcome"): ANY_STAFF,
    ("GET", "/desk/components"): frozenset({Role.OPERATOR}),
    ("GET", "/desk/recovery"): OFFICE,
    ("POST", "/desk/recovery/make"): OFFICE,
    ("POST", "/desk/recovery/use"): OFFICE,
    ("GET", "/desk/audit"): OFFICE,
    ("GET", "/desk/queue"): ANY_STAFF,
    ("GET", "/desk/cases/<case_id>"): HOLDERS,
    ("GET", "/desk/cases/<case_id>/pictures/<picture_id>"): HOLDERS,
    ("POST", f"/desk/cases/<case_id>/<any({','.join(MOVE_NAMES)}):move>"): HOLDERS,
    ("POST", "/desk/queue/search"): HOLDERS,
    ("POST", "/desk/queue/<any(accept,decline):move>"): HOLDERS,
    ("POST", "/desk/queue/forward"): HOLDERS,
    ("POST", "/desk/queue/first"): HOLDERS,
    ("GET", "/desk/intake"): BULLETINS,
    ("GET", "/desk/intake/<slug>/<any(paper,phone,meeting):channel>"): BULLETINS,
    ("POST", "/desk/intake/<slug>/<any(paper,phone,meeting):channel>"): BULLETINS,
    ("POST", "/desk/intake/<slug>/phone/read-back"): BULLETINS,
    ("GET", "/desk/intake/posters.pdf"): BULLETINS,
    ("POST", "/desk/intake/<slug>/forms"): BULLETINS,
    ("POST", "/desk/intake/<slug>/meeting/receipts"): BULLETINS,
    ("GET", "/desk/phrases"): HOLDERS,
    ("POST", "/desk/phrases"): HOLDERS,
    ("POST", "/desk/phrases/<phrase_id>/delete"): HOLDERS,
    ("GET", "/subscribe"): PUBLIC,
    ("POST", "/subscribe"): PUBLIC,
    ("GET", "/subscribe/<token>"): PUBLIC,
    ("POST", "/subscribe/<token>"): PUBLIC,
    ("GET", "/unsubscribe/<token>"): PUBLIC,
    ("POST", "/unsubscribe/<token>"): PUBLIC,
    ("GET", "/desk/outbox"): EVERY_ROLE,
    ("POST", "/desk/outbox/channels"): EVERY_ROLE,
    ("POST", "/desk/outbox/channels/<channel_id>/test"): EVERY_ROLE,
    ("POST", "/desk/outbox/channels/<channel_id>/delete"): EVERY_ROLE,
    ("POST", "/desk/outbox/letters/<row_id>/<any(again,drop):step>"): OFFICES,
    ("POST", "/desk/outbox/letters/again"): OFFICES,
    ("GET", "/desk/bulletins"): BULLETINS,
    ("POST", "/desk/bulletins"): BULLETINS,
    ("GET", "/desk/bulletins/new"): BULLETINS,
    ("GET", "/desk/bulletins/<bulletin_id>"): BULLETINS,
    ("GET", "/desk/bulletins/<bulletin_id>.pdf"): BULLETINS,
    ("POST", "/desk/bulletins/<bulletin_id>/<any(save,publish,discard,withdraw):step>"): BULLETINS,
    (
        "POST",
        "/desk/bulletins/<bulletin_id>/promises/<promise_id>/<any(done,rate):step>",
    ): BULLETINS,
    ("GET", "/desk/rounds"): ROUNDS,
    ("GET", "/desk/rounds/new"): ROUNDS,
    ("POST", "/desk/rounds"): ROUNDS,
    ("GET", "/desk/rounds/<round_id>"): ROUNDS,
    (
        "POST",
        "/desk/rounds/<round_id>/<any(save,freeze,open,discard,void,publish):step>",
    ): ROUNDS,
    ("GET", "/desk/rounds/<round_id>/comments"): ROUNDS,
    ("GET", "/desk/rounds/<round_id>/ballot.pdf"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/slips"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/print"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/leftover"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/batches/<batch_id>/void"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/close"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/count"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/confirm"): ROUNDS,
    ("GET", "/desk/rounds/<round_id>/paper"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/paper"): ROUNDS,
    ("POST", "/desk/rounds/<round_id>/paper/ballot"): ROUNDS,
    ("GET", "/appraisal/<token>"): PUBLIC,
    ("POST", "/appraisal/<token>"): PUBLIC,
    ("GET", "/desk/appraisals"): BULLETINS,
    ("POST", "/desk/appraisals"): KEEPERS,
    ("POST", "/desk/appraisals/<occasion_id>/members"): KEEPERS,
    ("POST", "/desk/appraisals/<any(self,feedback):purpose>/cards"): KEEPERS,
    ("GET", "/desk/appraisals/<appraisal_id>"): KEEPERS,
    (
        "POST",
        "/desk/appraisals/<appraisal_id>/<any(paper,revoke,draft,finish,return,revise,handover,"
        "acknowledge,reply,oral,plan,leave):step>",
    ): KEEPERS,
    ("POST", "/desk/appraisals/<appraisal_id>/gather"): KEEPERS,
    ("POST", "/desk/appraisals/<appraisal_id>/<any(link,deliver):step>"): KEEPERS,
    ("POST", "/desk/appraisals/<appraisal_id>/plan/<item_id>/<any(done,again):step>"): KEEPERS,
    ("GET", "/desk/appraisals/<appraisal_id>/<any(form,feedback,talks):name>.pdf"): KEEPERS,
    ("GET", "/desk/campaigns"): BULLETINS,
    ("POST", "/desk/campaigns"): OFFICE,
    ("GET", "/desk/campaigns/new"): OFFICE,
    ("GET", "/desk/campaigns/<campaign_id>"): OFFICE,
    ("GET", "/desk/campaigns/<campaign_id>/edit"): OFFICE,
    ("POST", "/desk/campaigns/<campaign_id>/save"): OFFICE,
    ("POST", "/desk/campaigns/<campaign_id>/<any(start,close,discard):step>"): OFFICE,
    ("GET", "/desk/campaigns/<campaign_id>/branches/<slug>"): BULLETINS,
    ("POST", "/desk/campaigns/<campaign_id>/branches/<slug>/record"): BULLETINS,
    ("POST", "/desk/campaigns/<campaign_id>/branches/<slug>/due"): BULLETINS,
    (
        "POST",
        "/desk/campaigns/<campaign_id>/branches/<slug>/records/<record_id>/correct",
    ): BULLETINS,
    ("GET", "/desk/board"): BULLETINS,
    ("GET", "/desk/precedents"): OFFICE | {Role.SUPERVISOR},
    ("GET", "/desk/contacts"): OFFICE,
    ("POST", "/desk/contacts"): OFFICE,
    ("POST", "/desk/contacts/branches/<slug>/release"): OFFICE,
    ("POST", "/desk/contacts/<leader_id>/delete"): OFFICE,
    ("GET", "/desk/look-back"): BULLETINS,
    ("GET", "/desk/look-back/<campaign_id>.pdf"): BULLETINS,
    ("POST", "/desk/look-back/<campaign_id>/bulletin"): OFFICE,
    ("GET", "/desk/look-back/<campaign_id>/branches/<slug>"): BULLETINS,
    ("POST", "/desk/look-back/<campaign_id>/branches/<slug>"): OFFICE | {Role.SUPERVISOR},
    (
        "POST",
        "/desk/look-back/<campaign_id>/branches/<slug>/tasks/<task_id>/<any(done,close,return):step>",
    ): BULLETINS,
    ("GET", "/desk/units"): OFFICES,
    ("GET", "/desk/units/<slug>"): OFFICES,
    ("POST", "/desk/units/<slug>/add"): OFFICES,
    ("POST", "/desk/units/<slug>/<any(rename,move,merge,close,reopen,policy):step>"): OFFICES,
    ("GET", "/desk/units/import"): OFFICES,
    ("POST", "/desk/units/import"): OFFICES,
    ("GET", "/desk/units/export"): OFFICES,
    ("GET", "/desk/removals"): OFFICE,
    ("POST", "/desk/removals"): OFFICE,
    ("POST", "/desk/removals/<case_id>/cancel"): OFFICE,
    ("POST", "/desk/removals/<case_id>/remove"): OFFICE,
}

# The ids by which addresses under /desk name something. tests/test_other_units.py makes one of each
# in a branch and tries every address with them from other units: a new name needs its thing there.
NAMED = {
    "appraisal_id", "assignment_id", "batch_id", "box_id", "bulletin_id", "campaign_id", "case_id",
    "channel_id", "device_id", "invitation_id", "item_id", "leader_id", "occasion_id", "phrase_id",
    "picture_id", "promise_id", "record_id", "round_id", "row_id", "slug", "staff_id", "task_id",
}  # fmt: skip


def routes(app: Flask) -> dict[tuple[str, str], str]:
    return {
        (method, rule.rule): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def address_of(rule: str) -> str:
    """A rule with something in every place, of a thing that nobody has."""
    return re.sub(r"<\w+>", "0" * 32, re.sub(r"<any\((\w+)[^>]*>", r"\1", rule))


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


def test_every_id_of_the_desk_is_tried_from_other_units() -> None:
    guarded = [address for (_, address), rule in TABLE.items() if isinstance(rule, frozenset)]
    assert set(re.findall(r"<(\w+)>", " ".join(guarded))) == NAMED


def test_nobody_enters_the_desk_without_signing_in(app: Flask) -> None:
    wrong = []
    for (method, rule), roles in TABLE.items():
        if isinstance(roles, frozenset):
            answer = app.test_client().open(address_of(rule), method=method)
            led = (answer.status_code, answer.headers.get("Location"))
            if led != ((303, "/desk/sign-in") if method == "GET" else (403, None)):
                wrong.append((method, rule, *led))
    assert wrong == []


def test_asking_for_the_head_of_a_page_is_never_a_post(app: Flask) -> None:
    client = app.test_client()
    both = {rule for (method, rule), who in TABLE.items() if method == "POST" and who is PUBLIC}
    both = {rule for rule in both if ("GET", rule) in TABLE and "<" not in rule}
    assert {"/slip", "/receipt", "/log/verify", "/subscribe"} <= both
    heads = {address: client.head(address).status_code for address in both}
    assert heads == {address: client.get(address).status_code for address in both}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_refused_wherever_it_has_no_business(
    app: Flask, config: Config, role: Role
) -> None:
    """Signed in, with the session's own token: every route of the desk, by its real address."""
    keeper = make_keeper(app, config, "longtan")
    page = keeper.client.get("/desk/account").get_data(as_text=True)
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    with app.app_context(), db.transaction() as session:
        session.execute(sa.update(RoleAssignment).values(role=role))
    wrong = []
    for (method, rule), roles in TABLE.items():
        if isinstance(roles, frozenset) and roles and role not in roles:
            data = {"csrf_token": token} if method == "POST" else None
            answer = keeper.client.open(address_of(rule), method=method, data=data)
            if answer.status_code != 403:
                wrong.append((method, rule, answer.status_code))
    assert wrong == []
    assert keeper.client.get("/desk/account").status_code == 200  # it was the role, not the session

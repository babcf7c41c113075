"""Keys pass from hand to hand: nobody is given one by an administrator, none is lost by leaving."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from app import cli, county_cli, worker
from app.db import reading, transaction
from app.errors import Conflict
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.staff import keepers, succession
from app.staff.audit import AuditRow
from app.staff.models import KeyGrant, Role, RoleAssignment, Staff
from app.staff.rights import Actor
from app.transparency.models import PendingLeaf
from tests.staff.people import County, Walker, ids_of


@pytest.fixture
def office(county: County) -> Walker:
    return county.office()


def grants(county: County) -> int:
    with county.app.app_context(), reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(KeyGrant)) or 0


def role_id(county: County, username: str) -> str:
    with county.app.app_context(), reading() as session:
        query = sa.select(RoleAssignment.id).join(Staff, Staff.id == RoleAssignment.staff_id)
        return session.scalars(query.where(Staff.username == username)).one()


def give_role(county: County, username: str, role: Role, slug: str) -> None:
    """What an administrator with the database in hand could do."""
    with county.app.app_context(), transaction() as session:
        staff = session.scalars(sa.select(Staff).where(Staff.username == username)).one()
        keepers.assign(session, staff, role, organisation.branch(session, slug).id)


# --- handing over -------------------------------------------------------------------------------


def test_one_tap_hands_over_every_pair_former_ones_too(county: County, office: Walker) -> None:
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    old = county.say(box, "旧的意见")
    li.press(li.get("/desk/staff"), "现在换一把新钥匙")
    new = county.say(box, "新的意见")
    wang = county.keeper(office, "wang", "longtan")
    assert (county.read(wang, old), county.read(wang, new)) == (None, None)

    page = county.act(li.get("/desk/staff"), "wang", "交给钥匙", li)
    assert page.status == 200
    assert (county.read(wang, old), county.read(wang, new)) == ("旧的意见", "新的意见")
    assert li.holding_of(wang) == "holds"


def test_who_holds_no_key_is_offered_no_hand_over_and_can_craft_none(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    wang = county.keeper(office, "wang", "longtan")
    chen = county.keeper(office, "chen", "longtan")
    assert not wang.get("/desk/staff").offers("交给钥匙")
    for walker in (wang, chen):
        crafted = walker.post(f"/desk/staff/boxes/{box}/hand-over", staff=county.staff_id("chen"))
        assert crafted.status == 403
    assert office.post(f"/desk/staff/boxes/{box}/hand-over", staff="x").status == 403


def test_a_key_goes_only_to_who_is_appointed_for_the_boxs_own_unit(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    county.box("shiqiao")
    li = county.keeper(office, "li", "longtan")
    other = county.keeper(office, "sun", "shiqiao")
    item = county.say(box, "只给龙潭")
    for staff in (county.staff_id("sun"), county.staff_id("zhang"), "0" * 32, ""):
        crafted = li.post(f"/desk/staff/boxes/{box}/hand-over", staff=staff)
        assert crafted.status == 409
    assert county.read(other, item) is None
    assert county.read(office, item) is None


def test_crafted_posts_for_another_unit_are_refused(county: County, office: Walker) -> None:
    box, their_box = county.box("longtan"), county.box("shiqiao")
    li = county.keeper(office, "li", "longtan")
    sun = county.keeper(office, "sun", "shiqiao")
    county.keeper(office, "ma", "shiqiao")
    before = grants(county)
    for address, fields in (
        (f"boxes/{their_box}/hand-over", {"staff": county.staff_id("li")}),
        (f"boxes/{their_box}/rotate", {}),
        (f"boxes/{their_box}/begin", {}),
        (f"boxes/{their_box}/back-up", {}),
        (f"roles/{role_id(county, 'ma')}/take-away", {}),
        (f"roles/{role_id(county, 'zhang')}/take-away", {}),
        (f"{county.staff_id('sun')}/renew", {}),
        (f"{county.staff_id('zhang')}/renew", {}),
        ("invite", {"username": "evil", "role": "keeper", "unit": "shiqiao"}),
        ("invite", {"username": "evil", "role": "supervisor", "unit": "longtan"}),
        ("invite", {"username": "evil", "role": "office", "unit": ""}),
        ("invite", {"username": "li", "role": "office", "unit": ""}),
    ):
        assert li.post(f"/desk/staff/{address}", **fields).status == 403, address
    assert grants(county) == before
    assert sun.is_in()
    assert "sun" not in li.get("/desk/staff").words()
    assert li.get("/desk/staff?unit=shiqiao").status == 403
    assert len(county.box_keys(box)) == len(county.box_keys(their_box)) == 1


def test_a_keeper_invites_keepers_of_their_own_unit(county: County, office: Walker) -> None:
    county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    wang = county.walker("wang", li.invite("wang", "keeper", "longtan"))
    wang.sign_in()
    assert li.holding_of(wang) == "waits"


# --- an office account alone --------------------------------------------------------------------


def test_an_office_account_alone_never_gets_a_key_of_a_kept_box(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    item = county.say(box, "别让办公室看见")

    # It makes itself keeper, renews the pair, waits a year, makes a recovery key and waits again.
    office.press(
        office.get("/desk/staff"), "发出邀请", username="zhang", role="keeper", unit="longtan"
    )
    office.press(office.get("/desk/staff"), "现在换一把新钥匙")
    sheets = office.press(office.get("/desk/recovery"), "做备用钥匙，打印两张纸", unit="").marked(
        "data-half"
    )
    county.hand.now += dt.timedelta(days=366)
    with county.app.app_context():
        assert worker.rotate_keys(county.app.extensions["clock"]) == 1
    later = county.say(box, "一年以后")
    office.sign_in()
    for crafted in ("begin", "back-up", "hand-over"):
        answer = office.post(f"/desk/staff/boxes/{box}/{crafted}", staff=county.staff_id("zhang"))
        assert answer.status in (403, 409)
    used = office.press(
        office.get("/desk/recovery"),
        "合上两半，找回钥匙",
        half_1=sheets[0],
        half_2=sheets[1],
        username="zhang",
    )
    assert used.status == 409
    # It can't oust the one who holds the key, nor take the place by renewing that account.
    page = office.get("/desk/staff")
    assert county.act(page, "li", "撤下这项职责", office).status == 409
    shown = county.act(office.get("/desk/staff"), "li", "发重设链接", office)
    thief = Walker(county.app, county.hand, "li", "the office's own choice")
    thief.enrol(shown.marked("data-link")[0], "重设好了")
    thief.sign_in()
    assert not thief.get("/desk/staff").offers("给意见箱配钥匙")
    assert thief.post(f"/desk/staff/boxes/{box}/begin").status == 409
    assert thief.post(f"/desk/staff/boxes/{box}/rotate").status == 409
    assert not li.is_in()  # the true one notices
    for walker in (office, thief):
        assert county.read(walker, item) is None
        assert county.read(walker, later) is None


def test_a_role_given_in_the_database_opens_nothing(county: County, office: Walker) -> None:
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    give_role(county, "zhang", Role.KEEPER, "longtan")
    item = county.say(box, "只给保管人")
    assert county.read(office, item) is None


# --- leaving ------------------------------------------------------------------------------------


@pytest.fixture
def pair(county: County, office: Walker) -> tuple[str, Walker, Walker]:
    """A box with two keepers who both hold its key."""
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    wang = county.keeper(office, "wang", "longtan")
    county.act(li.get("/desk/staff"), "wang", "交给钥匙", li)
    return box, li, wang


def test_who_leaves_takes_no_key_along_and_those_who_stay_read_on(
    county: County, office: Walker, pair: tuple[str, Walker, Walker]
) -> None:
    box, li, wang = pair
    old = county.say(box, "旧的意见")
    assert county.read(li, old) == "旧的意见"

    page = county.act(office.get("/desk/staff"), "li", "撤下这项职责", office)
    assert page.status == 200
    new = county.say(box, "新的意见")
    assert not li.is_in()  # the open session ended
    assert len(county.box_keys(box)) == 2
    with county.app.app_context(), reading() as session:
        own = keepers.personal_key_of(session, county.staff_id("li")).id
        assert not session.scalars(sa.select(KeyGrant).where(KeyGrant.personal_key_id == own)).all()
    li.sign_in()
    assert (county.read(li, old), county.read(li, new)) == (None, None)
    assert (county.read(wang, old), county.read(wang, new)) == ("旧的意见", "新的意见")


def test_a_removed_persons_open_session_opens_nothing_even_if_it_were_kept(
    county: County, pair: tuple[str, Walker, Walker]
) -> None:
    box, li, _ = pair
    item = county.say(box, "旧的意见")
    with county.app.app_context(), transaction() as session:
        session.execute(sa.delete(RoleAssignment).where(RoleAssignment.id == role_id(county, "li")))
    assert li.is_in()
    assert county.read(li, item) is None


def test_the_last_keeper_cannot_go_without_a_successor_who_holds_every_key(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    item = county.say(box, "旧的意见")
    page = county.act(office.get("/desk/staff"), "li", "撤下这项职责", office)
    assert page.status == 409
    assert "交给钥匙" in page.alert()

    wang = county.keeper(office, "wang", "longtan")  # appointed, holds nothing yet
    assert county.act(office.get("/desk/staff"), "li", "撤下这项职责", office).status == 409
    # Only the present pair is not enough either: the former texts would be lost.
    li.press(li.get("/desk/staff"), "现在换一把新钥匙")
    current = county.box_keys(box)[-1]
    with county.app.app_context(), transaction() as session:
        wangs = keepers.personal_key_of(session, county.staff_id("wang"))
        keepers.grant(session, current.id, county.keys_at(li)[current.id], wangs)
    assert li.holding_of(wang) == "partly"
    assert county.act(office.get("/desk/staff"), "li", "撤下这项职责", office).status == 409

    county.act(li.get("/desk/staff"), "wang", "交给钥匙", li)
    assert county.act(office.get("/desk/staff"), "li", "撤下这项职责", office).status == 200
    assert county.read(wang, item) == "旧的意见"


def test_who_never_held_the_key_leaves_without_a_new_pair(county: County, office: Walker) -> None:
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    county.keeper(office, "wang", "longtan")
    assert county.act(office.get("/desk/staff"), "wang", "撤下这项职责", office).status == 200
    assert len(county.box_keys(box)) == 1


def test_of_two_who_leave_at_once_one_stays(
    county: County, office: Walker, pair: tuple[str, Walker, Walker]
) -> None:
    box, _, _ = pair
    ids = [role_id(county, name) for name in ("li", "wang")]
    barrier, refused = threading.Barrier(2), []
    by = Actor(county.staff_id("zhang"), frozenset({(Role.OFFICE, None)}))

    def leave(assignment_id: str) -> None:
        with county.app.app_context():
            barrier.wait()
            try:
                with transaction() as session:
                    now = county.hand.now
                    succession.take_away(session, by, assignment_id, now, now.date())
            except Conflict:
                refused.append(assignment_id)

    threads = [threading.Thread(target=leave, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    with county.app.app_context(), reading() as session:
        current = county.box_keys(box)[-1]
        unit_id = organisation.branch(session, "longtan").id
        assert len(succession.holders(session, unit_id, current.id)) == 1


def test_the_last_office_account_stays(county: County, office: Walker) -> None:
    page = office.get("/desk/staff")
    assert county.act(page, "zhang", "撤下这项职责", office).status == 409
    county.walker("zhao", office.invite("zhao", "office"))
    assert county.act(office.get("/desk/staff"), "zhao", "撤下这项职责", office).status == 200


def test_a_role_taken_away_twice_is_unknown_the_second_time(county: County, office: Walker) -> None:
    county.walker("zhao", office.invite("zhao", "office"))
    address = f"/desk/staff/roles/{role_id(county, 'zhao')}/take-away"
    assert office.post(address).status == 303
    assert office.post(address).status == 404


# --- the yearly pair ----------------------------------------------------------------------------


def test_a_pair_of_a_year_is_renewed_by_the_worker_and_old_texts_stay_readable(
    county: County, pair: tuple[str, Walker, Walker]
) -> None:
    box, li, wang = pair
    old = county.say(box, "旧的意见")
    with county.app.app_context():
        county.hand.now += dt.timedelta(days=364)
        assert worker.rotate_keys(county.app.extensions["clock"]) == 0
        county.hand.now += dt.timedelta(days=1)
        assert worker.rotate_keys(county.app.extensions["clock"]) == 1
        assert worker.rotate_keys(county.app.extensions["clock"]) == 0
    new = county.say(box, "新的意见")
    for walker in (li, wang):
        walker.sign_in()
        assert (county.read(walker, old), county.read(walker, new)) == ("旧的意见", "新的意见")
    retired, current = county.box_keys(box)
    assert retired.retired_on == current.created_on


def test_two_workers_make_one_yearly_pair(county: County, pair: tuple[str, Walker, Walker]) -> None:
    box, _, _ = pair
    now = county.hand.now + dt.timedelta(days=366)
    made = []
    for _ in range(2):  # both have found the box due before either renewed it
        with county.app.app_context(), transaction() as session:
            made.append(succession.rotate_yearly(session, box, now, now.date()))
    assert made == [True, False]
    assert len(county.box_keys(box)) == 2


def test_the_worker_runs_the_yearly_keys(county: County, pair: tuple[str, Walker, Walker]) -> None:
    county.hand.now += dt.timedelta(days=366)
    result = county.app.test_cli_runner().invoke(cli.worker, ["--once"])
    assert result.exit_code == 0, result.output
    assert len(county.box_keys(pair[0])) == 2


def test_the_yearly_pair_is_not_for_who_was_appointed_meanwhile(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    wang = county.keeper(office, "wang", "longtan")
    county.hand.now += dt.timedelta(days=366)
    with county.app.app_context():
        assert worker.rotate_keys(county.app.extensions["clock"]) == 1
    wang.sign_in()
    assert county.read(wang, county.say(box, "新的意见")) is None


def test_a_box_made_after_its_keeper_enrolled_gets_its_key_by_a_tap(
    county: County, office: Walker
) -> None:
    with county.app.app_context(), transaction() as session:
        unit = organisation.add_unit(session, slug="late", name="后设支部", kind=UnitKind.BRANCH)
    li = county.keeper(office, "li", "late")
    with county.app.app_context(), transaction() as session:
        unit = session.scalars(sa.select(Unit).where(Unit.slug == "late")).one()
        box = organisation.add_box(session, unit).id
    li.press(li.get("/desk/staff"), "给意见箱配钥匙")
    assert county.read(li, county.say(box, "第一件")) == "第一件"


# --- a forgotten password -----------------------------------------------------------------------


def test_a_renewal_gives_new_keys_and_a_colleague_hands_over_the_boxs(
    county: County, pair: tuple[str, Walker, Walker]
) -> None:
    box, li, wang = pair
    old_password, old_secret = wang.password, wang.totp_secret
    item = county.say(box, "旧的意见")
    wang.browser.post("/desk/sign-out", data={"csrf_token": wang.token()})
    wang.sign_in(trust="yes")
    before = keepers_key(county, "wang")

    link = county.act(li.get("/desk/staff"), "wang", "发重设链接", li).marked("data-link")[0]
    assert wang.is_in()  # nothing changes before it is used
    elsewhere = Walker(county.app, county.hand, "wang", "a password of this year")
    done = elsewhere.enrol(link, "重设好了")
    assert "交给钥匙" in done.words()
    assert len(elsewhere.codes) == 10

    assert not wang.is_in()  # the session ended
    assert "wang" in wang.give_password(old_password).text  # refused, the name kept
    assert wang.give_password(elsewhere.password).location != "/desk/queue"  # no device is trusted
    assert elsewhere.totp_secret != old_secret
    assert keepers_key(county, "wang") != before
    elsewhere.sign_in()
    assert county.read(elsewhere, item) is None
    assert len(county.box_keys(box)) == 1

    county.act(li.get("/desk/staff"), "wang", "交给钥匙", li)
    assert county.read(elsewhere, item) == "旧的意见"


def keepers_key(county: County, username: str) -> str:
    with county.app.app_context(), reading() as session:
        return keepers.personal_key_of(session, county.staff_id(username)).id


def test_a_keeper_renews_nobody_who_may_do_more(
    county: County, pair: tuple[str, Walker, Walker]
) -> None:
    _, li, _wang = pair
    address = f"/desk/staff/{county.staff_id('wang')}/renew"
    assert li.post(address).status == 303
    give_role(county, "wang", Role.OFFICE, "longtan")
    assert li.post(address).status == 403
    assert not li.get("/desk/staff").offers("发重设链接", li.get("/desk/staff").person("wang"))


def test_a_renewal_issued_before_the_colleague_became_more_opens_nothing(
    county: County, pair: tuple[str, Walker, Walker]
) -> None:
    _, li, wang = pair
    link = county.act(li.get("/desk/staff"), "wang", "发重设链接", li).marked("data-link")[0]
    give_role(county, "wang", Role.OFFICE, "longtan")
    thief = Walker(county.app, county.hand, "wang")
    assert thief.get(link.removeprefix("http://localhost")).status == 409
    assert wang.is_in()


def test_a_box_that_nobody_can_open_any_more_is_closed_and_started_anew_by_the_operator(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    item = county.say(box, "旧的意见")
    runner = county.app.test_cli_runner()
    early = runner.invoke(county_cli.start_anew, ["longtan"])
    assert early.exit_code == 2  # somebody holds the key
    link = county.act(office.get("/desk/staff"), "li", "发重设链接", office).marked("data-link")[0]
    li = Walker(county.app, county.hand, "li")
    done = li.enrol(link, "重设好了")
    assert "打不开" in done.words()
    assert 'name="opinion"' not in county.app.test_client().get("/box/longtan").text
    li.sign_in()
    assert 'data-box="lost"' in li.get("/desk/staff").text

    result = runner.invoke(county_cli.start_anew, ["longtan"])
    assert result.exit_code == 0, result.output
    assert 'name="opinion"' in county.app.test_client().get("/box/longtan").text
    assert county.read(li, item) is None
    assert county.read(li, county.say(box, "新的意见")) == "新的意见"
    with county.app.app_context(), reading() as session:
        (leaf,) = session.scalars(sa.select(PendingLeaf.leaf)).all()
        assert leaf[:2] == b"R2"
        assert len(leaf) == 34
        assert session.scalars(sa.select(AuditRow).where(AuditRow.action == "start_anew")).one()


# --- supervisors --------------------------------------------------------------------------------


def test_supervisors_hold_the_key_of_their_own_groups_box_as_keepers_do(
    county: County, office: Walker
) -> None:
    box = county.box("group-1", UnitKind.GROUP)
    branch = county.box("longtan")
    county.keeper(office, "li", "longtan")
    chen = county.walker("chen", office.invite("chen", "supervisor", "group-1"))
    chen.sign_in()
    item, theirs = county.say(box, "给监督组"), county.say(branch, "给支部")
    assert county.read(chen, item) == "给监督组"
    assert county.read(chen, theirs) is None

    zhou = county.walker("zhou", chen.invite("zhou", "supervisor", "group-1"))
    zhou.sign_in()
    assert county.read(zhou, item) is None
    county.act(chen.get("/desk/staff"), "zhou", "交给钥匙", chen)
    assert county.read(zhou, item) == "给监督组"
    assert county.act(office.get("/desk/staff"), "chen", "撤下这项职责", office).status == 200
    assert len(county.box_keys(box)) == 2
    later = county.say(box, "后来的")
    assert (county.read(zhou, item), county.read(zhou, later)) == ("给监督组", "后来的")
    chen.sign_in()
    assert county.read(chen, item) is None
    assert county.act(office.get("/desk/staff"), "zhou", "撤下这项职责", office).status == 409


# --- the list -----------------------------------------------------------------------------------


def test_the_office_sees_everybody_by_unit_page_after_page(county: County, office: Walker) -> None:
    for slug in ("a-unit", "b-unit"):
        county.box(slug)
        for n in range(15):
            office.invite(f"{slug}-{n:02d}", "keeper", slug)
    seen: list[str] = []
    address = "/desk/staff"
    for _ in range(5):
        page = office.get(address)
        assert page.tree is not None
        assert len(page.text.encode()) < 60 * 1024
        seen += [e.get("data-person") or "" for e in page.tree.iter() if e.get("data-person")]
        following = [e.get("href") for e in page.tree.iter() if e.get("rel") == "next"]
        if not following:
            break
        address = following[0] or ""
    assert len(seen) == len(set(seen)) == 31
    assert seen == sorted(seen, key=lambda name: ("" if name == "zhang" else name[:6], name))
    narrowed = office.get("/desk/staff?unit=b-unit").text
    assert "b-unit-03" in narrowed
    assert "a-unit-03" not in narrowed


def test_the_pages_of_staff_read_well_in_every_language(county: County, office: Walker) -> None:
    county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    office.invite("wang", "keeper", "longtan")
    for address in ("/desk/staff", "/desk/recovery", "/desk/audit", "/desk/account"):
        for lang in ("en", "zh-Hant"):
            assert office.get(f"{address}?lang={lang}").status == 200
    for address in ("/desk/staff", "/desk/account", "/desk/account/second-factor"):
        assert li.get(f"{address}?lang=en").status == 200
    link = county.cli_link("qian", "operator")
    qian = county.walker("qian")
    assert qian.get(f"{link.split('8000')[1]}?lang=en").status == 200


def test_hostile_ids_and_words_are_refused_like_any_unknown(county: County, office: Walker) -> None:
    for address in (
        "roles/%00/take-away", "boxes/%00/rotate", "invitations/%FF/withdraw", "%00/renew",
    ):  # fmt: skip
        assert office.post(f"/desk/staff/{address}").status == 404
    assert office.get("/desk/staff/invitations/%00").status == 404
    assert office.get("/desk/staff?unit=%00&after=~%00~").status == 200
    assert (
        office.post("/desk/staff/invite", username="\x00", role="\x00", unit="\x00").status == 422
    )
    assert ids_of(office.get("/desk/staff"), "take-away")

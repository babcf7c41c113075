"""Two halves on paper: useless alone, kindly read, told to the public when they are used."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app import crypto, worker
from app.db import reading
from app.errors import Invalid
from app.staff import keepers, recovery
from app.staff.audit import AuditRow
from app.staff.models import KeyGrant, RecoveryGrant, RecoveryKey
from app.transparency.models import PendingLeaf
from tests.staff.people import County, Sheet, Walker

MAKE, USE, SEAL = "做备用钥匙，打印两张纸", "合上两半，找回钥匙", "编号对，封给备用钥匙"


# --- the sheets ---------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32))
def test_two_halves_make_the_key_in_either_order(private_key: bytes) -> None:
    first, second = recovery.split(private_key)
    assert recovery.join(first, second) == recovery.join(second, first) == private_key


def test_a_half_is_four_lines_of_four_groups_of_four() -> None:
    for half in recovery.split(crypto.new_private_key()):
        lines = half.split("\n")
        assert [[len(group) for group in line.split(" ")] for line in lines] == [[4] * 4] * 4
        assert not set(half) & set("ILOU")


def test_a_half_alone_tells_nothing_of_the_key() -> None:
    # The same key is split differently each time: each half is one random mask, or key XOR mask.
    private_key = crypto.new_private_key()
    halves = [half for _ in range(50) for half in recovery.split(private_key)]
    assert len(set(halves)) == 100


def test_case_spaces_width_and_letters_that_look_alike_do_not_matter() -> None:
    private_key = crypto.new_private_key()
    first, second = recovery.split(private_key)
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in first)
    sloppy = second.lower().replace("0", "o").replace("1", "l").replace(" ", " - ")
    assert recovery.join(wide, sloppy) == private_key


@pytest.mark.parametrize("at", [0, 17, 45, 63])
def test_a_mistyped_character_is_told_with_its_line(at: int) -> None:
    first, second = recovery.split(crypto.new_private_key())
    typed = list(first.replace(" ", "").replace("\n", ""))
    typed[at] = "7" if typed[at] != "7" else "8"
    with pytest.raises(Invalid) as refused:
        recovery.join("".join(typed), second)
    assert refused.value.field == "half_1"
    assert refused.value.values["line"] == at // 16 + 1


def test_lines_out_of_order_are_noticed() -> None:
    first, second = recovery.split(crypto.new_private_key())
    lines = first.split("\n")
    with pytest.raises(Invalid):
        recovery.join("\n".join([lines[1], lines[0], *lines[2:]]), second)


@pytest.mark.parametrize("typed", ["", "1234", "x" * 5000, "\ud800", "\x00" * 64])
def test_what_is_no_half_is_refused(typed: str) -> None:
    _, second = recovery.split(crypto.new_private_key())
    with pytest.raises(Invalid):
        recovery.join(typed, second)


def test_the_same_half_twice_is_refused() -> None:
    first, _ = recovery.split(crypto.new_private_key())
    with pytest.raises(Invalid):
        recovery.join(first, first)


# --- at the desk --------------------------------------------------------------------------------


@pytest.fixture
def office(county: County) -> Walker:
    return county.office()


def make(office: Walker, unit: str = "") -> list[str]:
    sheet = office.press(office.get("/desk/recovery"), MAKE, unit=unit)
    assert sheet.status == 200, sheet.alert()
    return sheet.marked("data-half")


def use(office: Walker, halves: list[str], username: str) -> Sheet:
    return office.press(
        office.get("/desk/recovery"), USE, half_1=halves[0], half_2=halves[1], username=username
    )


def forget(county: County, office: Walker, username: str) -> Walker:
    page = county.act(office.get("/desk/staff"), username, "发重设链接", office)
    walker = Walker(county.app, county.hand, username, "a password of this year")
    walker.enrol(page.marked("data-link")[0], "重设好了")
    walker.sign_in()
    return walker


def test_both_halves_bring_back_every_key_for_a_chosen_keeper(
    county: County, office: Walker
) -> None:
    halves = make(office)  # before anybody keeps the box: its pairs are sealed to it by themselves
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    old = county.say(box, "旧的意见")
    li.press(li.get("/desk/staff"), "现在换一把新钥匙")
    new = county.say(box, "新的意见")
    li = forget(county, office, "li")
    assert county.read(li, old) is None
    # Paper still opens it: the box stays open.
    assert 'name="opinion"' in county.app.test_client().get("/box/longtan").text

    done = use(office, halves, "li")
    assert done.status == 200, done.alert()
    assert (county.read(li, old), county.read(li, new)) == ("旧的意见", "新的意见")


def test_every_use_is_audited_and_a_leaf_of_the_public_log(county: County, office: Walker) -> None:
    halves = make(office)
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    forget(county, office, "li")
    for _ in range(2):
        assert use(office, halves, "li").status == 200
    staff_id = county.staff_id("li")
    with county.app.app_context(), reading() as session:
        rows = session.scalars(sa.select(AuditRow).where(AuditRow.action == "recover")).all()
        leaves = set(session.scalars(sa.select(PendingLeaf.leaf)))
        key = session.scalars(sa.select(RecoveryKey)).one()
        keeper = keepers.personal_key_of(session, staff_id)
        assert {row.subject for row in rows} == {staff_id}
        assert {row.staff_id for row in rows} == {county.staff_id("zhang")}
        (pair,) = county.box_keys(box)
        assert leaves == {
            b"R1"
            + hashlib.sha256(
                bytes.fromhex(row.detail) + key.public_key + keeper.public_key + pair.id.encode()
            ).digest()
            for row in rows
        }
        assert len(leaves) == 2


def test_wrong_halves_are_told_kindly_and_change_nothing(county: County, office: Walker) -> None:
    halves, others = make(office), make(office)
    county.box("longtan")
    county.keeper(office, "li", "longtan")
    for first, second in (
        (halves[0], others[1]),
        (halves[0], halves[0]),
        (halves[0][:-1], halves[1]),
        ("", ""),
    ):
        page = use(office, [first, second], "li")
        assert page.status == 422
        assert page.alert()
    assert use(office, halves, "nobody").status == 422
    with county.app.app_context(), reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(PendingLeaf)) == 0


def test_the_halves_and_the_private_key_are_stored_nowhere(county: County, office: Walker) -> None:
    halves = make(office)
    private_key = recovery.join(*halves)
    secrets = {private_key, private_key.hex().encode()}
    secrets |= {half.encode() for half in halves}
    secrets |= {"".join(half.split()).encode() for half in halves}
    with county.app.app_context(), reading() as session:
        for table in sa.inspect(session.connection()).get_table_names():
            for row in session.execute(sa.text(f'SELECT * FROM "{table}"')):
                values = [v if isinstance(v, bytes) else str(v).encode() for v in row]
                assert not any(secret in value for secret in secrets for value in values), table
    assert not any(half in office.get("/desk/recovery").text for half in halves)


def test_a_recovery_key_made_later_gets_a_kept_boxs_key_only_from_its_keeper(
    county: County, office: Walker
) -> None:
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    halves = make(office)
    li.press(li.get("/desk/staff"), "现在换一把新钥匙")
    county.hand.now += dt.timedelta(days=366)
    with county.app.app_context():
        assert worker.rotate_keys(county.app.extensions["clock"]) == 1
        with reading() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(RecoveryGrant)) == 0
    for walker in (office, li):
        walker.sign_in()
    assert use(office, halves, "li").status == 409

    page = li.get("/desk/staff")
    with county.app.app_context(), reading() as session:
        mark = recovery.fingerprint(session.scalars(sa.select(RecoveryKey)).one())
    assert mark in page.words()
    assert not office.get("/desk/staff").offers(SEAL)
    item = county.say(box, "旧的意见")
    sealed = li.press(page, SEAL)
    assert not sealed.offers(SEAL)
    li.press(sealed, "现在换一把新钥匙")  # from now on the box trusts it
    assert not li.get("/desk/staff").offers(SEAL)
    li = forget(county, office, "li")
    assert use(office, halves, "li").status == 200
    assert county.read(li, item) == "旧的意见"
    with county.app.app_context(), reading() as session:
        own = keepers.personal_key_of(session, county.staff_id("li"))
        granted = session.scalars(
            sa.select(KeyGrant.box_key_id).where(KeyGrant.personal_key_id == own.id)
        ).all()
    assert len(granted) == 4


def test_a_units_recovery_key_covers_the_boxes_below_it_alone(
    county: County, office: Walker
) -> None:
    county.box("longtan")
    halves = make(office, "office")
    own = county.keeper(office, "li", "longtan")
    with county.app.app_context(), reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RecoveryGrant)) == 1
    make(office, "longtan")
    with county.app.app_context(), reading() as session:
        keys = session.scalars(sa.select(RecoveryKey)).all()
        assert all(key.retired_on is None for key in keys)
    own.press(own.get("/desk/staff"), SEAL)
    box = county.box("shiqiao")
    make(office, "longtan")
    with county.app.app_context(), reading() as session:
        (covering,) = recovery.covering(session, box)
        assert covering.public_key == crypto.public_key_of(recovery.join(*halves))


def test_paper_gives_keys_only_to_who_is_appointed(county: County, office: Walker) -> None:
    halves = make(office)
    county.box("longtan")
    county.box("shiqiao")
    county.keeper(office, "li", "longtan")
    sun = county.keeper(office, "sun", "shiqiao")
    item = county.say(county.box_id("longtan"), "只给龙潭")
    assert use(office, halves, "zhang").status == 409
    assert use(office, halves, "sun").status == 200  # sun's own box alone
    assert county.read(sun, item) is None


def test_nobody_but_the_office_makes_or_uses_a_recovery_key(county: County, office: Walker) -> None:
    county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    assert li.get("/desk/recovery").status == 403
    assert li.post("/desk/recovery/make", unit="longtan").status == 403
    assert li.post("/desk/recovery/use", half_1="", half_2="", username="li").status == 403


def test_sheets_of_a_former_recovery_key_still_open_what_was_sealed_to_them(
    county: County, office: Walker
) -> None:
    former = make(office)
    box = county.box("longtan")
    county.keeper(office, "li", "longtan")
    item = county.say(box, "旧的意见")
    make(office)
    li = forget(county, office, "li")
    assert use(office, former, "li").status == 200
    assert county.read(li, item) == "旧的意见"

"""Links to a first account: whose, once, for seven days, and nothing in them for a dump."""

from __future__ import annotations

import hashlib
import threading

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask

from app import county_cli
from app.db import reading, transaction
from app.errors import Conflict
from app.staff import invitations, keepers, second_factor
from app.staff.models import Invitation, PersonalKey, RecoveryCode, Role, RoleAssignment, Staff
from config import Config
from tests.staff.people import PASSWORD, County, Walker, path_of


def rows(app: Flask, model: type) -> int:
    with app.app_context(), reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_a_fresh_instance_gets_its_first_office_account_from_the_command_line(
    county: County,
) -> None:
    office = county.office()
    assert office.is_in()
    assert office.get("/desk/staff").status == 200


def test_the_command_refuses_in_one_sentence(county: County) -> None:
    run = county.app.test_cli_runner().invoke
    for words in (["x", "office"], ["li", "keeper"], ["li", "keeper", "nowhere"]):
        result = run(county_cli.invite, words)
        assert result.exit_code == 2
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_link_makes_an_account_by_its_own_persons_hand(county: County) -> None:
    county.box("longtan")
    office = county.office()
    link = office.invite("li", "keeper", "longtan")
    page = county.walker("li").get(path_of(link))
    assert "longtan支部" in page.words()
    assert "保管人" in page.words()

    li = county.walker("li", link)
    li.sign_in()
    assert li.is_in()
    assert li.holding_of(li) == "holds"


def test_the_first_keeper_gets_the_boxs_first_pair_and_the_second_waits(county: County) -> None:
    box = county.box("longtan")
    office = county.office()
    li = county.keeper(office, "li", "longtan")
    item = county.say(box, "路灯坏了")
    wang = county.keeper(office, "wang", "longtan")

    assert county.read(li, item) == "路灯坏了"
    assert county.read(wang, item) is None
    assert "等同事交钥匙" in wang.get("/desk/staff").words()
    assert len(county.box_keys(box)) == 1


def test_nothing_is_stored_before_the_second_factor_is_proved(county: County) -> None:
    link = county.cli_link("zhang", "office")
    zhang = county.walker("zhang")
    page = zhang.get(path_of(link))
    refused = zhang.press(page, "办好账号", password=PASSWORD, again=PASSWORD, totp="000000")
    assert refused.status == 422
    assert refused.alert()
    assert PASSWORD not in refused.text
    # The phone that scanned the first picture goes on working.
    assert refused.marked("data-totp-secret") == page.marked("data-totp-secret")
    assert (rows(county.app, Staff), rows(county.app, Invitation)) == (0, 1)


@pytest.mark.parametrize(
    "fields",
    [{"password": "short"}, {"again": "another one entirely"}, {"sealed": "forged"}],
    ids=["weak", "unlike", "forged"],
)
def test_a_refused_form_leaves_the_link_unused(county: County, fields: dict[str, str]) -> None:
    zhang = county.walker("zhang")
    link = county.cli_link("zhang", "office")
    page = zhang.get(path_of(link))
    secret = "".join(page.marked("data-totp-secret")[0].split())
    typed = {"password": PASSWORD, "again": PASSWORD, "totp": pyotp.TOTP(secret).at(zhang.hand.now)}
    if "password" in fields:
        typed["again"] = fields["password"]
    refused = zhang.press(page, "办好账号", **{**typed, **fields})
    assert refused.status == 422
    assert refused.alert()
    assert rows(county.app, Staff) == 0
    assert zhang.enrol(link).status == 200


def test_the_second_factor_of_one_link_cannot_be_carried_to_another(county: County) -> None:
    first, second = county.cli_link("zhang", "office"), county.cli_link("zhao", "office")
    zhang = county.walker("zhang")
    mine = zhang.get(path_of(first))
    _, hidden = mine.button("办好账号")
    secret = "".join(mine.marked("data-totp-secret")[0].split())
    refused = zhang.press(
        zhang.get(path_of(second)),
        "办好账号",
        sealed=hidden["sealed"],
        password=PASSWORD,
        again=PASSWORD,
        totp=pyotp.TOTP(secret).at(zhang.hand.now),
    )
    assert refused.status == 422
    assert rows(county.app, Staff) == 0


def test_the_code_that_proved_the_second_factor_is_spent(county: County) -> None:
    zhang = county.walker("zhang", county.cli_link("zhang", "office"))
    second = zhang.give_password()
    shown = pyotp.TOTP(zhang.totp_secret).at(zhang.hand.now)
    assert zhang.press(second, "进入工作台", totp=shown).status == 422


def test_a_used_withdrawn_or_old_link_is_a_conflict_and_an_altered_one_unknown(
    county: County,
) -> None:
    office = county.office()
    used = county.cli_link("zhao", "office")
    county.walker("zhao", used)
    withdrawn = office.invite("qian", "office")
    office.press(office.get("/desk/staff"), "撤回邀请")
    old = office.invite("sun", "office")
    somebody = county.walker("somebody")
    assert somebody.get(path_of(old) + "x").status == 404
    assert somebody.get("/desk/invitation/" + "a.b").status == 404
    county.hand.now += invitations.LIFETIME
    for link in (used, withdrawn, old):
        page = somebody.get(path_of(link))
        assert page.status == 409
        assert page.alert()
        answer = somebody.browser.post(path_of(link), data={"password": PASSWORD})
        assert answer.status_code == 409


def test_an_invitation_that_lapsed_makes_room_for_the_next(county: County) -> None:
    office = county.office()
    office.invite("qian", "office")
    again = office.press(
        office.get("/desk/staff"), "发出邀请", username="QIAN", role="office", unit=""
    )
    assert again.status == 409
    county.hand.now += invitations.LIFETIME
    office.sign_in()
    assert county.walker("qian", office.invite("qian", "office"))


def test_no_link_can_be_made_from_a_dump(county: County) -> None:
    link = county.office().invite("qian", "office")
    token = path_of(link).rsplit("/", 1)[1]
    with county.app.app_context(), reading() as session:
        kept = session.scalars(sa.select(Invitation)).one()
        values = [str(getattr(kept, column.key)) for column in sa.inspect(Invitation).columns]
        assert not any(token in value or value in ("", token) for value in values)
        forged = invitations.token_of(kept, b"x" * 32)
    assert county.walker("thief").get(f"/desk/invitation/{forged}").status == 404


def test_a_link_kept_by_somebody_who_left_opens_nothing(county: County) -> None:
    county.box("longtan")
    office = county.office()
    other = county.walker("zhao", office.invite("zhao", "office"))
    other.sign_in()
    kept = other.invite("ghost", "office")
    page = office.get("/desk/staff")
    county.act(page, "zhao", "撤下这项职责", office)
    assert county.walker("ghost").get(path_of(kept)).status == 409


def test_only_the_one_who_invited_sees_the_link_again(county: County) -> None:
    office = county.office()
    other = county.walker("zhao", office.invite("zhao", "office"))
    other.sign_in()
    office.invite("qian", "office")
    page = office.get("/desk/staff")
    shown = [e for e in page.text.split('"') if "/desk/staff/invitations/" in e]
    address = next(a for a in shown if not a.endswith("withdraw"))
    assert office.get(address).status == 200
    assert other.get(address).status == 404


def test_recovery_codes_are_stored_as_keyed_hashes_alone(county: County) -> None:
    zhang = county.walker("zhang", county.cli_link("zhang", "office"))
    digits = {code.replace("-", "").encode() for code in zhang.codes}
    with county.app.app_context(), reading() as session:
        stored = set(session.scalars(sa.select(RecoveryCode.code_hash)))
    assert len(stored) == len(digits) == 10
    plain = {hashlib.sha256(code).digest() for code in digits}
    assert not stored & plain


def test_of_two_who_use_a_link_at_once_one_wins(county: County, config: Config) -> None:
    link = county.cli_link("zhang", "office")
    token = path_of(link).rsplit("/", 1)[1]
    secrets = config.secrets
    barrier, outcomes = threading.Barrier(2), []

    def use(password: str) -> None:
        brought = invitations.Enrolment(
            keepers.stretch(password, secrets.pepper), second_factor.new_secret(), 1
        )
        with county.app.app_context():
            barrier.wait()
            try:
                with transaction() as session:
                    invitations.accept(
                        session,
                        token,
                        brought,
                        now=county.hand.now,
                        today=county.hand.now.date(),
                        instance_secret=secrets.instance_secret,
                    )
                outcomes.append(password)
            except Conflict:
                outcomes.append("")

    threads = [threading.Thread(target=use, args=(f"password number {n}",)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [password for password in outcomes if password]
    assert len(outcomes) == 2
    assert (rows(county.app, Staff), rows(county.app, PersonalKey)) == (1, 1)
    zhang = Walker(county.app, county.hand, "zhang", won)
    assert "totp" in zhang.give_password().text


def test_of_two_who_spend_a_recovery_code_at_once_one_wins(county: County, config: Config) -> None:
    zhang = county.walker("zhang", county.cli_link("zhang", "office"))
    staff_id = county.staff_id("zhang")
    barrier, spent = threading.Barrier(2), []

    def spend() -> None:
        with county.app.app_context():
            barrier.wait()
            with transaction() as session:
                spent.append(
                    second_factor.spend_recovery_code(
                        session, staff_id, zhang.codes[0], config.secrets.instance_secret
                    )
                )

    threads = [threading.Thread(target=spend) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(spent) == [False, True]


def test_two_first_keepers_at_once_make_one_pair(county: County, config: Config) -> None:
    box = county.box("longtan")
    links = [county.cli_link(name, "keeper", "longtan") for name in ("li", "wang")]
    barrier = threading.Barrier(2)

    def use(token: str) -> None:
        secrets = config.secrets
        brought = invitations.Enrolment(
            keepers.stretch(PASSWORD, secrets.pepper), second_factor.new_secret(), 1
        )
        with county.app.app_context():
            barrier.wait()
            with transaction() as session:
                invitations.accept(
                    session,
                    token,
                    brought,
                    now=county.hand.now,
                    today=county.hand.now.date(),
                    instance_secret=secrets.instance_secret,
                )

    threads = [
        threading.Thread(target=use, args=(path_of(link).rsplit("/", 1)[1],)) for link in links
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(county.box_keys(box)) == 1
    assert rows(county.app, RoleAssignment) == 2


def test_somebody_with_an_account_gets_the_role_without_a_link(county: County) -> None:
    county.box("longtan")
    box = county.box("shiqiao")
    office = county.office()
    li = county.keeper(office, "li", "longtan")
    page = office.press(
        office.get("/desk/staff"), "发出邀请", username="li", role="keeper", unit="shiqiao"
    )
    assert page.status == 200
    assert not page.marked("data-link")
    item = county.say(box, "桥面有洞")
    assert county.read(li, item) == "桥面有洞"


def test_a_role_has_its_place(county: County) -> None:
    county.box("longtan")
    office = county.office()
    for role, unit in (("keeper", ""), ("supervisor", ""), ("office", "longtan"), ("king", "")):
        page = office.press(
            office.get("/desk/staff"), "发出邀请", username="li", role=role, unit=unit
        )
        assert page.status == 422
        assert page.alert()
    assert rows(county.app, Invitation) == 0


def test_every_role_is_explained_to_whoever_is_given_it(county: County) -> None:
    county.box("longtan")
    office = county.office()
    for role in Role:
        unit = "longtan" if role in (Role.KEEPER, Role.SUPERVISOR) else ""
        link = office.invite(f"new-{role}", role, unit)
        page = county.walker("new").get(path_of(link))
        assert len(page.marked("data-totp-secret")) == 1
        assert "您看不到" in page.words() or "看不到" in page.words()

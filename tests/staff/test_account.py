"""One's own account: password and phone changed without loss, codes, devices, open desks."""

from __future__ import annotations

import re

import pytest

from tests.staff.people import County, Sheet, Walker


@pytest.fixture
def box(county: County) -> str:
    return county.box("longtan")


@pytest.fixture
def li(county: County, box: str) -> Walker:
    return county.keeper(county.office(), "li", "longtan")


def codes_left(walker: Walker) -> int:
    found = re.search(r'data-codes-left="(\d+)"', walker.get("/desk/account").text)
    assert found
    return int(found.group(1))


def desks(walker: Walker) -> list[str]:
    page = walker.get("/desk/account")
    assert page.tree is not None
    return [e.get("data-desk") or "" for e in page.tree.iter() if e.get("data-desk")]


def change_password(walker: Walker, new: str, **fields: str) -> Sheet:
    typed = {"old_password": walker.password, "password": new, "again": new, **fields}
    return walker.press(walker.get("/desk/account"), "换密码", **typed)


def test_a_changed_password_opens_what_the_old_one_did_and_the_old_one_nothing(
    county: County, box: str, li: Walker
) -> None:
    item = county.say(box, "旧的意见")
    page = change_password(li, "a password of this year")
    assert "新密码" in page.words()
    assert not li.is_in()
    assert "totp" not in li.give_password().text
    li.password = "a password of this year"
    li.sign_in()
    assert county.read(li, item) == "旧的意见"


@pytest.mark.parametrize(
    "fields",
    [
        {"old_password": "not my password"},
        {"password": "short", "again": "short"},
        {"again": "another one entirely"},
    ],
    ids=["old", "weak", "unlike"],
)
def test_a_refused_change_of_password_changes_nothing(li: Walker, fields: dict[str, str]) -> None:
    page = change_password(li, "a password of this year", **fields)
    assert page.status == 422
    assert page.alert()
    assert "a password of this year" not in page.text
    assert li.is_in()
    assert "totp" in Walker(li.app, li.hand, "li").give_password().text


def test_guessing_the_old_password_at_an_unlocked_desk_makes_one_wait(li: Walker) -> None:
    for _ in range(3):
        assert change_password(li, "new new new new", old_password="a guess").status == 422
    assert change_password(li, "new new new new").status == 422  # the right one, in the wait
    li.hand.now = li.hand.now.replace(minute=59)
    assert change_password(li, "new new new new").status == 200


def test_a_new_phone_takes_over_and_the_old_one_ends(county: County, box: str, li: Walker) -> None:
    item = county.say(box, "旧的意见")
    old_secret = li.totp_secret
    page = li.get("/desk/account/second-factor")
    li.totp_secret = "".join(page.marked("data-totp-secret")[0].split())
    assert li.press(page, "换好了", totp="000000", old_password=li.password).status == 422
    assert li.press(page, "换好了", totp=li.code(), old_password="a guess").status == 422
    assert li.is_in()
    assert li.press(page, "换好了", totp=li.code(), old_password=li.password).status == 200
    assert not li.is_in()
    new_secret, li.totp_secret = li.totp_secret, old_secret
    assert li.sign_in().status == 422
    li.totp_secret = new_secret
    li.sign_in()
    assert county.read(li, item) == "旧的意见"


def test_nobody_enrols_anothers_second_factor(county: County, li: Walker) -> None:
    """Neither the office nor a forged field: what isn't sealed to this very person is refused."""
    office = Walker(county.app, county.hand, "zhang2")
    office.enrol(county.cli_link("zhang2", "office"))
    office.sign_in()
    page = office.get("/desk/account/second-factor")
    _, hidden = page.button("换好了")
    stolen = li.post(
        "/desk/account/second-factor",
        sealed=hidden["sealed"],
        totp="000000",
        old_password=li.password,
    )
    assert stolen.status == 403
    assert li.post("/desk/account/second-factor", sealed="x").status == 403


def test_a_recovery_code_stands_in_once_for_the_phone(county: County, box: str, li: Walker) -> None:
    item = county.say(box, "旧的意见")
    elsewhere = Walker(county.app, county.hand, "li")
    assert elsewhere.sign_in_by_code(f" {li.codes[0]} ").status == 200
    assert county.read(elsewhere, item) == "旧的意见"
    assert codes_left(elsewhere) == 9
    again = Walker(county.app, county.hand, "li")
    refused = again.sign_in_by_code(li.codes[0])
    assert refused.status == 422
    assert refused.alert()
    assert again.sign_in_by_code(li.codes[1].replace("-", "")).status == 200


def test_a_wrong_recovery_code_counts_like_a_wrong_one_time_code(
    county: County, li: Walker
) -> None:
    guesser = Walker(county.app, county.hand, "li")
    page = guesser.give_password()
    for _ in range(3):
        page = guesser.press(page, "用恢复码进入", recovery="0000-0000-0000")
        assert page.status == 422
    waiting = guesser.press(page, "用恢复码进入", recovery=li.codes[0])
    assert waiting.status == 422
    assert codes_left(li) == 10


def test_the_codes_of_one_person_open_nothing_of_anothers(county: County, li: Walker) -> None:
    other = county.walker("qian", county.cli_link("qian", "operator"))
    assert other.sign_in_by_code(li.codes[0]).status == 422
    assert codes_left(li) == 10


def test_a_new_set_of_codes_ends_the_former_and_needs_the_password(
    county: County, li: Walker
) -> None:
    page = li.get("/desk/account")
    assert li.press(page, "换一套恢复码", old_password="a guess").status == 422
    fresh = li.press(page, "换一套恢复码", old_password=li.password).marked("data-recovery-code")
    assert len(set(fresh)) == 10
    assert not set(fresh) & set(li.codes)
    elsewhere = Walker(county.app, county.hand, "li")
    assert elsewhere.sign_in_by_code(li.codes[3]).status == 422
    assert elsewhere.sign_in_by_code(fresh[3]).status == 200
    assert not any(code in li.get("/desk/account").text for code in fresh)


def test_a_trusted_device_is_listed_and_ended_from_elsewhere(county: County, li: Walker) -> None:
    laptop = Walker(county.app, county.hand, "li", totp_secret=li.totp_secret)
    laptop.sign_in(trust="yes")
    assert laptop.browser.get_cookie("desk-device", path="/desk/sign-in")
    assert "totp" not in laptop.give_password().text

    page = li.get("/desk/account")
    assert page.text.count("data-device=") == 1
    assert li.press(page, "不再信任").text.count("data-device=") == 0
    assert "totp" in laptop.give_password().text


def test_nobody_ends_anothers_devices_or_desks(county: County, li: Walker) -> None:
    li.sign_in(trust="yes")
    page = li.get("/desk/account").text
    device = re.findall(r'data-device="([0-9a-f]{32})"', page)[0]
    second = Walker(county.app, county.hand, "li", totp_secret=li.totp_secret)
    second.sign_in()
    desk = re.findall(r'name="desk" value="([0-9a-f]{64})"', second.get("/desk/account").text)[0]
    other = county.walker("qian", county.cli_link("qian", "operator"))
    other.sign_in()
    other.post(f"/desk/account/devices/{device}/end")
    other.post("/desk/account/desks/end", desk=desk)
    other.post("/desk/account/desks/end", desk="\x00")
    other.post("/desk/account/desks/end")
    assert li.is_in()
    assert second.is_in()
    assert device in li.get("/desk/account").text


def test_open_desks_are_listed_and_ended_one_by_one_or_all_others(
    county: County, li: Walker
) -> None:
    others = [Walker(county.app, county.hand, "li", totp_secret=li.totp_secret) for _ in range(3)]
    for other in others:
        other.sign_in()
    assert sorted(desks(li)) == ["other"] * 3 + ["own"]
    li.press(li.get("/desk/account"), "结束")
    assert sum(other.is_in() for other in others) == 2
    li.press(li.get("/desk/account"), "别处的登录全部结束")
    assert not any(other.is_in() for other in others)
    assert desks(li) == ["own"]


def test_the_account_page_says_what_each_role_may_see(county: County, li: Walker) -> None:
    words = li.get("/desk/account").words()
    assert "保管人" in words
    assert "longtan支部" in words


def test_the_pages_of_the_account_read_well_in_english(county: County, li: Walker) -> None:
    li.sign_in(trust="yes")
    Walker(county.app, county.hand, "li", totp_secret=li.totp_secret).sign_in()
    assert li.get("/desk/account?lang=en").status == 200
    token = li.token()
    fields = {"csrf_token": token, "old_password": li.password}
    shown = li.browser.post("/desk/account/recovery-codes?lang=en", data=fields)
    assert shown.status_code == 200
    assert li.browser.get("/desk/second-factor?lang=en").status_code == 303

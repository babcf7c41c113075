"""The operator's walk-through of docs/keys.md, walked word for word."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from app import cli, county_cli
from tests.staff.people import County, Walker

GUIDE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text("utf-8")
QUOTED = set(re.findall("“([^”]+)”", GUIDE))
COMMANDS = re.findall(r"^ {4}\.venv/bin/flask --app app (.+)$", GUIDE, re.MULTILINE)


def renewed(county: County, page: str, username: str, by: Walker) -> Walker:
    sheet = county.act(by.get(page), username, "发重设链接", by)
    walker = Walker(county.app, county.hand, username, "a password of this year")
    walker.enrol(sheet.marked("data-link")[0], "重设好了")
    walker.sign_in()
    return walker


def test_the_guide_is_true_word_for_word(county: County) -> None:
    box = county.box("longtan")
    runner = county.app.test_cli_runner()
    assert [line.split()[0] for line in COMMANDS] == ["invite", "start-anew"]

    # 1. The first office account
    printed = runner.invoke(county_cli.invite, COMMANDS[0].split()[1:])
    assert printed.exit_code == 0
    office = county.walker("zhang", printed.stdout.splitlines()[0])
    assert office.is_in() is False
    office.sign_in()
    assert office.is_in()

    # 2. The recovery key
    sheets = office.press(office.get("/desk/recovery"), "做备用钥匙，打印两张纸", unit="")
    halves = sheets.marked("data-half")
    assert [len(half.splitlines()) for half in halves] == [4, 4]

    # 3. Inviting a committee
    link = office.invite("li", "keeper", "longtan")
    office.invite("mistake", "keeper", "longtan")
    assert office.get("/desk/staff").marked("data-person")
    county.act(office.get("/desk/staff"), "mistake", "撤回邀请", office)
    li = county.walker("li", link)
    li.sign_in()
    first = county.say(box, "第一件意见")
    assert county.read(li, first) == "第一件意见"
    wang = county.walker("wang", li.invite("wang", "keeper", "longtan"))
    wang.sign_in()
    assert county.read(wang, first) is None

    # 4. Handing over
    county.act(li.get("/desk/staff"), "wang", "交给钥匙", li)
    assert county.read(wang, first) == "第一件意见"

    # 5. A keeper leaves; the last one can't
    county.act(wang.get("/desk/staff"), "li", "撤下这项职责", wang)
    assert not li.is_in()
    last = county.act(office.get("/desk/staff"), "wang", "撤下这项职责", office)
    assert last.status == 409
    assert county.read(wang, first) == "第一件意见"

    # 6. Every year, and at once
    county.hand.now += dt.timedelta(days=366)
    assert runner.invoke(cli.worker, ["--once"]).exit_code == 0
    wang.sign_in()
    wang.press(wang.get("/desk/staff"), "现在换一把新钥匙")
    assert len(county.box_keys(box)) == 4  # the first, after the leaver, yearly, by hand
    assert county.read(wang, first) == "第一件意见"

    # 7. A forgotten password, and a forgotten phone
    chen = county.walker("chen", wang.invite("chen", "keeper", "longtan"))
    chen.sign_in()
    county.act(wang.get("/desk/staff"), "chen", "交给钥匙", wang)
    chen = renewed(county, "/desk/staff", "chen", wang)
    assert county.read(chen, first) is None
    county.act(wang.get("/desk/staff"), "chen", "交给钥匙", wang)
    assert county.read(chen, first) == "第一件意见"
    without_phone = Walker(county.app, county.hand, "chen", chen.password)
    assert without_phone.sign_in_by_code(chen.codes[0]).status == 200
    phone = without_phone.get("/desk/account/second-factor")
    chen.totp_secret = "".join(phone.marked("data-totp-secret")[0].split())
    typed = {"totp": chen.code(), "old_password": chen.password}
    assert without_phone.press(phone, "换好了", **typed).status == 200
    chen.sign_in(trust="yes")
    Walker(county.app, county.hand, "chen", chen.password, chen.totp_secret).sign_in()
    account = chen.get("/desk/account")
    for label in ("换密码", "换一套恢复码", "不再信任", "别处的登录全部结束"):
        assert account.offers(label)

    # 8. All have forgotten: the two halves
    office.sign_in()
    county.act(office.get("/desk/staff"), "chen", "撤下这项职责", office)
    wang = renewed(county, "/desk/staff", "wang", office)
    assert county.read(wang, first) is None
    done = office.press(
        office.get("/desk/recovery"),
        "合上两半，找回钥匙",
        half_1=halves[1].lower(),
        half_2=halves[0],
        username="wang",
    )
    assert done.status == 200, done.alert()
    assert county.read(wang, first) == "第一件意见"

    # A key made later needs a keeper's word
    office.press(office.get("/desk/recovery"), "做备用钥匙，打印两张纸", unit="longtan")
    wang.press(wang.get("/desk/staff"), "编号对，封给备用钥匙")

    # Without sheets: a second box, whose key nobody has back
    stone = county.box("shiqiao")
    county.make_paperless()
    county.keeper(office, "sun", "shiqiao")
    renewed(county, "/desk/staff", "sun", office)
    assert county.box_keys(stone)[-1].retired_on is not None
    words = COMMANDS[1].replace("longtan", "shiqiao").split()[1:]
    assert runner.invoke(county_cli.start_anew, words).exit_code == 0
    assert county.box_keys(stone)[-1].retired_on is None

    # 9. Who did what
    record = office.get("/desk/audit").words()
    for act in ("用备用钥匙找回", "撤下职责", "重设了账号", "旧钥匙丢了，重新开始"):
        assert act in record
    assert "第一件意见" not in record

    seen = "".join("".join(walker.seen) for walker in (office, li, wang, chen, without_phone))
    missing = {label for label in QUOTED if label not in seen}
    assert not missing

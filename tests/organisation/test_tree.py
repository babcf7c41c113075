"""The tree: found by pinyin, changed with its history kept, closed without losing what was said."""

from __future__ import annotations

import io
import re

import pytest
from flask import Flask

from app import db, progress
from app.clock import Clock
from app.errors import Conflict, Invalid
from app.organisation import importing, service, tree
from app.organisation.models import UnitKind
from app.organisation.pinyin import search_key
from app.staff.models import Role
from config import Config
from tests.cases.conftest import Scene
from tests.cases.test_desk import make_keeper
from tests.cases.test_desk_at_once import office, token_of
from tests.organisation.test_importing import MEMBERS, UNITS, xlsx
from tests.test_other_units import somebody


@pytest.fixture
def scene(app: Flask, config: Config) -> Scene:
    return Scene(app, config, app.extensions["clock"])


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("hjp", "何家坪镇机关支部"), ("hejiaping", "何家坪镇机关支部"),
        ("家坪", "何家坪镇机关支部"),
        ("HJPZ jg", "何家坪镇机关支部"), ("cqs", "重庆市支部"), ("zqs", "重庆市支部"),
        ("石橋村", "石桥村支部"), ("何家平 机关", "何家坪镇机关支部"),  # by sound
    ],
)  # fmt: skip
def test_a_branch_is_found_by_characters_and_by_pinyin(app: Flask, typed: str, name: str) -> None:
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        county = tree.add(
            session, slug="c", name="县", kind=UnitKind.COUNTY, parent=None, today=clock.today()
        )
        unit = tree.add(
            session, slug="u", name="县直", kind=UnitKind.UNIT, parent=county, today=clock.today()
        )
        for slug, each in (("a", "何家坪镇机关支部"), ("b", "重庆市支部"), ("d", "石桥村支部")):
            tree.add(
                session,
                slug=slug,
                name=each,
                kind=UnitKind.BRANCH,
                parent=unit,
                today=clock.today(),
            )
        assert [found.name for found in service.search(session, typed)] == [name]


def test_the_office_finds_what_has_no_box_and_what_was_closed(scene: Scene) -> None:
    with scene.writing() as session:
        tree.close(session, tree.unit(session, "longtan"), scene.clock.today())
        assert service.search(session, "longtan") == []
        assert [b.slug for b in service.search(session, "县直")] == ["shiqiao"]  # below it
        assert [b.slug for b in service.search(session, "longtan", everything=True)] == ["longtan"]
        found = service.search(session, "县直", everything=True)
        assert found[0].slug == "office"  # what begins with the word stands first


def test_pinyin_of_a_long_name_with_many_readings_stays_short() -> None:
    assert len(search_key("重长乐行都还" * 30)) < 2000


def test_a_merged_branch_leads_to_its_heir_and_its_receipts_still_work(scene: Scene) -> None:
    receipt, case_id = scene.opened("合并以前说的")
    with scene.writing() as session:
        here, there = tree.unit(session, "longtan"), tree.unit(session, "shiqiao")
        tree.merge(session, here, there, scene.clock.today())
    client = scene.app.test_client()
    page = client.get("/units/longtan").get_data(as_text=True)
    assert "/units/shiqiao" in page
    box = client.get("/box/longtan").get_data(as_text=True)
    assert "/box/shiqiao" in box
    assert 'name="opinion"' not in box
    assert client.post("/box/longtan", data={"opinion": "x"}).status_code == 409
    scene.answer(case_id, "合并以后答的。")  # its keepers finish what is open
    assert scene.said(scene.thread(receipt))[-1][2] == "合并以后答的。"
    assert "合并以后答的" in client.get("/units/longtan").get_data(as_text=True)
    assert "并走了" in client.get("/?q=longtan").get_data(as_text=True)
    with scene.writing() as session:
        (found,) = service.search(session, "longtan")  # under its old name
        assert (found.name, found.closed) == ("longtan支部", True)
        tree.reopen(session, tree.unit(session, "longtan"), scene.clock.today())
        assert {e.change for e in tree.history(session, tree.unit(session, "longtan").id)} == {
            "closed", "merged", "reopened",
        }  # fmt: skip


def test_what_still_holds_others_is_not_closed(scene: Scene) -> None:
    today = scene.clock.today()
    with scene.writing() as session:
        with pytest.raises(Conflict):
            tree.close(session, tree.unit(session, "office"), today)
        with pytest.raises(Conflict):
            tree.close(session, tree.unit(session, "diyi"), today)  # a group that watches
        with pytest.raises(Invalid):
            tree.merge(session, tree.unit(session, "longtan"), tree.unit(session, "office"), today)
        with pytest.raises(Invalid):
            tree.move(session, tree.unit(session, "longtan"), tree.unit(session, "shiqiao"), today)


def test_a_thin_crowd_is_told_before_a_word_is_typed(app: Flask, config: Config) -> None:
    make_keeper(app, config, "longtan")
    client = office(app, config, "office-1")
    data = {"csrf_token": token_of(client, "/desk/units/import")}
    for count, words in ((3, "不到五个人"), (7, "只有 7 个人"), (12, None)):
        rows: list[list[object]] = [MEMBERS[0], *([n, f"党员{n}", "longtan"] for n in range(count))]
        file = (io.BytesIO(xlsx(members=rows)), "members.xlsx")
        answer = client.post("/desk/units/import", data={**data, "file": file})
        assert answer.status_code == 200
        page = app.test_client().get("/box/longtan").get_data(as_text=True)
        form = page.index('name="opinion"')
        assert (words in page[:form]) if words else ("让人猜到" not in page)


def test_the_office_sets_up_and_changes_the_tree_in_the_browser(app: Flask, config: Config) -> None:
    client = office(app, config, "office-1")
    data = {"csrf_token": token_of(client, "/desk/units/import")}
    bad = xlsx(units=[*UNITS, ["坏", "", "nowhere", "x"]])
    answer = client.post("/desk/units/import", data={**data, "file": (io.BytesIO(bad), "x.xlsx")})
    assert answer.status_code == 422
    cells = re.findall(
        r"<td data-user-text>units</td><td>(\d+)</td><td>(\w)</td>", answer.get_data(as_text=True)
    )
    assert cells == [("6", "A"), ("6", "D"), ("6", "B")]
    assert client.post("/desk/units/import", data=data).status_code == 422
    good = (io.BytesIO(xlsx(units=UNITS, members=MEMBERS)), "x.xlsx")
    done = client.post("/desk/units/import", data={**data, "file": good})
    assert "新建 4 个" in done.get_data(as_text=True)
    steps: list[tuple[str, dict[str, str], int]] = [
        ("hejiaping/add", {"kind": "branch", "name": "石桥村支部", "slug": "shiqiao"}, 303),
        ("hejiaping/add", {"kind": "branch", "name": "又一个", "slug": "shiqiao"}, 422),
        ("hejiaping/add", {"kind": "branch", "name": "占用", "slug": "import"}, 422),
        ("hejiaping/add", {"kind": "planet", "name": "x", "slug": "x"}, 422),
        ("shiqiao/rename", {"name": "石桥社区支部", "phone": "0000-1"}, 303),
        ("shiqiao/rename", {"name": " "}, 422),
        ("shiqiao/move", {"parent": "county"}, 303),
        ("shiqiao/move", {"parent": "没有"}, 422),
        ("shiqiao/policy", {"second_eyes": "yes", "group": "group-1"}, 303),
        ("shiqiao/policy", {"group": "longtan"}, 422),
        ("shiqiao/merge", {"into": "龙潭村支部"}, 303),
        ("shiqiao/close", {}, 409),
        ("shiqiao/reopen", {}, 303),
        ("county/close", {}, 409),
    ]
    for step, fields, status in steps:
        answer = client.post(f"/desk/units/{step}", data={**data, **fields})
        assert answer.status_code == status, (step, fields)
    page = client.get("/desk/units/shiqiao").get_data(as_text=True)
    assert "石桥村支部 → 石桥社区支部" in re.sub(r"\s+", " ", page)
    exported = client.get("/desk/units/export")
    assert exported.data.startswith(b"PK")
    assert "石桥社区支部" in client.get("/desk/units?q=sqsq").get_data(as_text=True)


def test_an_import_tells_its_progress_on_the_page(
    app: Flask, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    client = office(app, config, "office-1")
    data = {"csrf_token": token_of(client, "/desk/units/import")}
    file = (io.BytesIO(xlsx(units=UNITS, members=MEMBERS)), "x.xlsx")
    answer = client.post("/desk/units/import", data={**data, "file": file})
    page = answer.get_data(as_text=True)
    assert re.findall(r'<progress[^>]* max="(\d)" value="(\d)">', page) == [
        ("4", "1"), ("4", "2"), ("4", "3"), ("4", "4"), ("2", "1"), ("2", "2"),
    ]  # fmt: skip
    assert page.index("</progress>") < page.index("导入好了")
    assert answer.headers["X-Accel-Buffering"] == "no"


def test_what_changed_between_the_check_and_the_import_undoes_all_of_it(
    app: Flask, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = office(app, config, "office-1")
    data = {"csrf_token": token_of(client, "/desk/units/import")}
    bad: list[list[object]] = [*UNITS, ["shiqiao", "石桥村支部", "nowhere", "branch"]]
    checked = importing.check
    monkeypatch.setattr(importing, "check", lambda *_: monkeypatch.undo())  # the first alone
    file = (io.BytesIO(xlsx(units=bad)), "x.xlsx")
    page = client.post("/desk/units/import", data={**data, "file": file}).get_data(as_text=True)
    assert importing.check is checked
    assert "什么都没有导入" in page
    assert "导入好了" not in page
    assert client.get("/desk/units/hejiaping").status_code == 404


def test_whoever_runs_the_machine_invites_nobody_by_a_spreadsheet(
    app: Flask, config: Config
) -> None:
    operator = somebody(app, config, Role.OPERATOR, None)
    data = {"csrf_token": token_of(operator, "/desk/units/import")}
    rows = [["username", "role", "unit"], ["mallory", "office", ""]]
    file = (io.BytesIO(xlsx(units=UNITS, staff=rows)), "x.xlsx")
    answer = operator.post("/desk/units/import", data={**data, "file": file})
    assert answer.status_code == 422
    assert operator.get("/desk/units/hejiaping").status_code == 404
    file = (io.BytesIO(xlsx(units=UNITS)), "x.xlsx")
    assert operator.post("/desk/units/import", data={**data, "file": file}).status_code == 200
    assert operator.get("/desk/units/hejiaping").status_code == 200

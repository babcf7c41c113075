"""Bulletins: two people, three parts, withdrawn in the open; promises; feeds; paper."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from xml.etree import ElementTree as ET

import feedparser
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app import db, wordindex, worker
from app.bulletins import drafting, promises, published, service
from app.bulletins.models import Audience, Bulletin, Promise, PromiseRating
from app.bulletins.promises import Standing
from app.bulletins.service import Pledge, Text, Writer
from app.clock import Clock
from app.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from app.notifications import service as notifications
from app.notifications.models import OutboxRow
from app.organisation import service as organisation
from app.organisation.models import UnitKind
from app.staff.models import Role
from config import Config, Mail
from tests.cases.conftest import Scene
from tests.cases.test_desk import Keeper, make_keeper
from tests.cases.test_desk_at_once import office, token_of
from tests.conftest import Hand
from tests.notifications.conftest import PostOffice

ATOM = "{http://www.w3.org/2005/Atom}"
DUE = dt.date(2026, 12, 18)
TEXT = Text(
    "第三季度通报",
    "会开得**实在**，到会三十二人。",
    "- 路灯坏了没人修\n- 公章难盖",
    "同意整改，年底前再评一次。",
    [Pledge("修好村口的路灯", "王书记", DUE), Pledge("公章每天上午都能盖", "", DUE)],
)


def keeper_of(made: Scene, staff_id: str = "keeper-1") -> Writer:
    return Writer(staff_id, frozenset({(Role.KEEPER, made.here.unit_id)}))


def watcher(made: Scene) -> Writer:
    return Writer("watcher", frozenset({(Role.SUPERVISOR, made.group.unit_id)}))


OFFICE = Writer("office", frozenset({(Role.OFFICE, None)}))


def drafted(made: Scene, text: Text = TEXT, audience: Audience = Audience.PUBLIC) -> str:
    with made.writing() as session:
        return service.draft(
            session, keeper_of(made), made.here.unit_id, audience, text, made.clock.today()
        ).id


def publish(made: Scene, bulletin_id: str, writer: Writer | None = None) -> None:
    with made.writing() as session:
        who = writer or keeper_of(made, "keeper-2")
        found = service.get(session, who, bulletin_id)
        service.publish(session, who, found, made.clock.today())


def released(made: Scene, text: Text = TEXT, audience: Audience = Audience.PUBLIC) -> str:
    bulletin_id = drafted(made, text, audience)
    publish(made, bulletin_id)
    return bulletin_id


def withdraw(made: Scene, bulletin_id: str, reason: str = "数字抄错了") -> None:
    with made.writing() as session:
        found = service.get(session, OFFICE, bulletin_id)
        service.withdraw(session, found, reason, made.clock.today())


# --- two people, three parts ----------------------------------------------------------------------


def test_nobody_publishes_what_they_wrote_themselves(scene: Scene) -> None:
    bulletin_id = drafted(scene)
    with pytest.raises(Forbidden):
        publish(scene, bulletin_id, keeper_of(scene))
    publish(scene, bulletin_id, keeper_of(scene, "keeper-2"))
    with pytest.raises(Conflict):
        publish(scene, bulletin_id, OFFICE)


@pytest.mark.parametrize("part", service.PARTS)
def test_each_of_the_three_parts_is_required(scene: Scene, part: str) -> None:
    without = dataclasses.replace(TEXT, **{part: " \n"})  # type: ignore[arg-type]
    bulletin_id = drafted(scene, without)
    with pytest.raises(Invalid) as refused:
        publish(scene, bulletin_id)
    assert refused.value.field == part


def test_a_blank_of_the_first_draft_is_never_published(scene: Scene) -> None:
    blank = dataclasses.replace(TEXT, meeting="会议于　　年　　月　　日召开，应到　　人。")
    with pytest.raises(Invalid):
        publish(scene, drafted(scene, blank))
    publish(
        scene, drafted(scene, dataclasses.replace(TEXT, meeting="　　会开得实在。\n　　散会。"))
    )


def test_a_published_bulletin_is_never_rewritten(scene: Scene) -> None:
    bulletin_id = released(scene)
    with scene.writing() as session:
        found, today = service.get(session, OFFICE, bulletin_id), scene.clock.today()
        with pytest.raises(Conflict):
            service.rewrite(session, OFFICE, found, Audience.PUBLIC, TEXT, today)
        with pytest.raises(Conflict):
            service.discard(session, found)


def test_nobody_publishes_a_version_they_have_not_seen(scene: Scene) -> None:
    bulletin_id = drafted(scene)
    with scene.writing() as session:
        seen = service.get(session, OFFICE, bulletin_id).version
        found = service.get(session, keeper_of(scene), bulletin_id)
        other = dataclasses.replace(TEXT, title="改过的")
        today = scene.clock.today()
        service.rewrite(session, keeper_of(scene), found, Audience.PUBLIC, other, today)
    with scene.writing() as session, pytest.raises(Conflict):
        service.get(session, OFFICE, bulletin_id, seen)


def test_another_branchs_bulletin_is_out_of_reach(scene: Scene) -> None:
    bulletin_id = drafted(scene)
    stranger = Writer("stranger", frozenset({(Role.KEEPER, scene.there.unit_id)}))
    with scene.writing() as session:
        for who in (stranger, Writer("nobody", frozenset())):
            with pytest.raises(NotFound):
                service.get(session, who, bulletin_id)
            with pytest.raises(Forbidden):
                service.require_writer(session, who, scene.here.unit_id)
        assert service.get(session, watcher(scene), bulletin_id)
        with pytest.raises(Forbidden):  # the group reads and publishes, it doesn't write
            service.require_writer(session, watcher(scene), scene.here.unit_id)


def test_what_is_for_members_is_read_by_nobody_else(scene: Scene) -> None:
    client = scene.app.test_client()
    for audience in (Audience.BRANCH, Audience.UNIT):
        bulletin_id = released(scene, audience=audience)
        for address in (f"/bulletins/{bulletin_id}", f"/bulletins/{bulletin_id}.pdf"):
            assert client.get(address).status_code == 404
    for address in ("/bulletins", "/bulletins.atom", "/bulletins?q=路灯", "/?q=路灯"):
        assert "第三季度通报" not in client.get(address).get_data(as_text=True)
    neighbour = Writer("n", frozenset({(Role.KEEPER, scene.there.unit_id)}))
    with scene.writing() as session:
        rows = service.at_desk(session, neighbour, 9)
        assert [row.audience for row, _ in rows] == [Audience.UNIT]


def test_a_draft_is_shown_to_nobody_outside(scene: Scene) -> None:
    bulletin_id = drafted(scene)
    assert scene.app.test_client().get(f"/bulletins/{bulletin_id}").status_code == 404
    assert scene.app.test_client().get("/bulletins/nothing").status_code == 404


# --- withdrawn ------------------------------------------------------------------------------------


def test_a_withdrawn_bulletin_keeps_its_page_and_its_reason_and_loses_its_words(
    scene: Scene,
) -> None:
    bulletin_id = released(scene)
    client = scene.app.test_client()
    assert "到会三十二人" in client.get(f"/bulletins/{bulletin_id}").get_data(as_text=True)
    with pytest.raises(Invalid):
        withdraw(scene, bulletin_id, " ")
    withdraw(scene, bulletin_id)
    page = client.get(f"/bulletins/{bulletin_id}")
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert "数字抄错了" in text
    assert "到会三十二人" not in text + client.get("/bulletins.atom").get_data(as_text=True)
    assert "已撤下" in client.get("/bulletins").get_data(as_text=True)
    assert "第三季度通报" not in client.get("/bulletins?q=路灯").get_data(as_text=True)
    with scene.writing() as session:
        assert session.scalars(sa.select(wordindex.IndexedPair)).all() == []


def test_a_letter_that_still_waits_does_not_announce_what_was_withdrawn(scene: Scene) -> None:
    bulletin_id, other = released(scene), released(scene)
    with scene.writing() as session:
        now, today = scene.clock.now(), scene.clock.today()
        wish = notifications.subscribe(
            session, scene.config.secrets.instance_secret, "a@mail.example", today
        )
        assert wish is not None
        notifications.confirm(session, wish.id, today)
        for each in (bulletin_id, other):
            notifications.put_to_subscribers(
                session, now, keys=service.letters_of(each), kind="bulletin", values_of=lambda _: {}
            )
    withdraw(scene, bulletin_id)
    with scene.writing() as session:
        (left,) = session.scalars(sa.select(OutboxRow.key))
    assert left.startswith(service.letters_of(other))


# --- promises -------------------------------------------------------------------------------------


def first(made: Scene, bulletin_id: str) -> published.ShownPromise:
    with made.app.app_context(), db.reading() as session:
        return published.one(session, bulletin_id, made.clock.today()).promises[0]


def test_a_promise_is_open_overdue_done_kept_and_open_again(
    scene: Scene,
    hand: Hand,
) -> None:
    bulletin_id = released(scene)
    promise_id = first(scene, bulletin_id).id
    assert first(scene, bulletin_id).standing is Standing.OPEN
    hand.forward(days=30)
    assert first(scene, bulletin_id).standing is Standing.OVERDUE

    def act(step: str, who: Writer, value: object, due: dt.date | None = None) -> None:
        with scene.writing() as session:
            found = service.get(session, who, bulletin_id)
            promise, today = promises.of(session, found, promise_id), scene.clock.today()
            if step == "done":
                promises.done(session, who, found, promise, str(value), today)
            else:
                rating = PromiseRating(str(value))
                promises.rate(session, who, found, promise, rating, due, today)

    def refused(kind: type[DomainError], *told: object) -> None:
        with pytest.raises(kind):
            act(*told)  # type: ignore[arg-type]

    refused(Invalid, "done", keeper_of(scene), " ")
    refused(Conflict, "rate", watcher(scene), "satisfied")
    act("done", keeper_of(scene), "村口亮了，照片贴在公告栏")
    assert first(scene, bulletin_id).standing is Standing.DONE
    refused(Conflict, "done", keeper_of(scene), "再说一遍")
    refused(Forbidden, "rate", keeper_of(scene), "satisfied")  # nobody rates their own work
    refused(Invalid, "rate", watcher(scene), "dissatisfied")
    again = scene.clock.today() + dt.timedelta(days=7)
    act("rate", watcher(scene), "dissatisfied", again)
    shown = first(scene, bulletin_id)
    assert (shown.standing, shown.due_on, shown.reopenings) == (Standing.OPEN, again, 1)
    assert shown.rating is PromiseRating.DISSATISFIED
    act("done", keeper_of(scene), "换了新灯")
    act("rate", watcher(scene), "satisfied")
    assert first(scene, bulletin_id).standing is Standing.KEPT
    page = scene.app.test_client().get(f"/bulletins/{bulletin_id}").get_data(as_text=True)
    assert 'data-standing="kept"' in page
    assert "换了新灯" in page


def test_a_keeper_who_also_sits_in_the_group_does_not_rate_their_own_branch(
    scene: Scene,
) -> None:
    bulletin_id = released(scene)
    both = Writer("both", keeper_of(scene).roles | watcher(scene).roles)
    with scene.writing() as session:
        found = session.get_one(Bulletin, bulletin_id)
        assert not promises.may_rate(session, both, found)
        assert promises.may_rate(session, watcher(scene), found)


def test_a_first_draft_knows_counts_answers_and_open_promises(scene: Scene) -> None:
    _, case_id = scene.opened("村口的路灯坏了")
    scene.answer(case_id)
    released(scene)
    client = make_keeper_here(scene)
    page = client.get("/desk/bulletins/new?unit=longtan").get_data(as_text=True)
    assert "共收到意见1件，其中有效1件；已答复1件" in page
    assert "- 概括" in page
    assert 'value="修好村口的路灯"' in page
    assert "还没做好，接着做：修好村口的路灯" in page
    with scene.writing() as session:
        county = organisation.add_unit(session, slug="county", name="县", kind=UnitKind.COUNTY)
        of_county = drafting.first_draft(session, county, scene.clock.today())
    assert "- 概括" in of_county.problems


def make_keeper_here(made: Scene) -> FlaskClient:
    """The office at a desk: it writes any unit's bulletins."""
    return office(made.app, made.config, "xianweiban")


# --- at the desk ----------------------------------------------------------------------------------


@pytest.fixture
def keeper(app: Flask, config: Config) -> Keeper:
    return make_keeper(app, config, "longtan")


def form(client: FlaskClient, address: str) -> dict[str, str]:
    page = client.get(address).get_data(as_text=True)
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def typed(**changes: object) -> dict[str, object]:
    return {
        "title": TEXT.title, "audience": "public", "meeting": TEXT.meeting,
        "problems": TEXT.problems, "result": TEXT.result,
        "promise": ["修好路灯", ""], "owner": ["王书记", ""], "due": ["2026-12-18", ""],
        **changes,
    }  # fmt: skip


def test_a_bulletin_goes_from_draft_to_the_public_and_to_subscribers(
    app: Flask,
    config: Config,
    keeper: Keeper,
    post_office: PostOffice,
) -> None:
    mail = Mail("127.0.0.1", post_office.port, "yanlu@county.example", starttls=False)
    config = dataclasses.replace(config, mail=mail, public_url="http://localhost")
    app.config["YANLU"] = config
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        secret, today = config.secrets.instance_secret, clock.today()
        wish = notifications.subscribe(session, secret, "a@mail.example", today)
        assert wish is not None
        notifications.confirm(session, wish.id, today)
        notifications.subscribe(session, secret, "unsure@mail.example", today)
    token = token_of(keeper.client, "/desk/bulletins")
    answer = keeper.client.post(
        "/desk/bulletins?unit=longtan", data=typed(csrf_token=token, version="")
    )
    assert answer.status_code == 303
    address = answer.headers["Location"]
    assert "看过了，发布" not in keeper.client.get(address).get_data(as_text=True)
    own = keeper.client.post(f"{address}/publish", data=form(keeper.client, address))
    assert own.status_code == 403
    colleague = office(app, config, "colleague")
    assert "看过了，发布" in colleague.get(address).get_data(as_text=True)
    done = colleague.post(f"{address}/publish", data=form(colleague, address))
    assert done.status_code == 303
    with app.app_context():
        assert worker.deliver(config, clock) == 1
    (letter,) = post_office.mails
    public = address.replace("/desk", "")
    assert f"http://localhost{public}" in letter.get_content()
    assert "路灯" not in letter.get_content()  # a title and an address, no more
    page = app.test_client().get(public).get_data(as_text=True)
    assert "<strong>实在</strong>" in page
    assert "修好路灯" in page
    for view in (f"{public}?lang=en", f"{public}?view=large", "/bulletins?lang=en", "/?lang=en"):
        assert app.test_client().get(view).status_code == 200
    assert TEXT.title in app.test_client().get("/units/longtan").get_data(as_text=True)


def test_what_is_refused_comes_back_as_it_was_typed(app: Flask, keeper: Keeper) -> None:
    token = token_of(keeper.client, "/desk/bulletins")
    for bad in (
        {"title": " "}, {"audience": "all"}, {"due": ["bald", ""]}, {"promise": ["", "x"]},
        {"meeting": "x" * (service.MAX_PART + 1)},
    ):  # fmt: skip
        answer = keeper.client.post(
            "/desk/bulletins?unit=longtan", data=typed(csrf_token=token, **bad)
        )
        assert answer.status_code == 422
        assert "公章难盖" in answer.get_data(as_text=True)
    forged = keeper.client.post("/desk/bulletins?unit=elsewhere", data=typed(csrf_token=token))
    assert forged.status_code == 403
    with app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(Bulletin)).all() == []


def test_a_draft_that_a_colleague_changed_is_not_overwritten(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    token = token_of(keeper.client, "/desk/bulletins")
    data = typed(csrf_token=token)
    address = keeper.client.post("/desk/bulletins?unit=longtan", data=data).headers["Location"]
    old = form(keeper.client, address)
    saved = keeper.client.post(f"{address}/save", data={**typed(result="改过"), **old})
    assert saved.status_code == 303
    late = keeper.client.post(f"{address}/save", data={**typed(result="晚到的"), **old})
    assert late.status_code == 409
    assert "晚到的" in late.get_data(as_text=True)
    stranger = make_keeper(app, config, "shiqiao")
    foreign = {"csrf_token": token_of(stranger.client, "/desk/bulletins")}
    for step in ("save", "publish", "discard", "withdraw"):
        answer = stranger.client.post(f"{address}/{step}", data={**typed(), **foreign})
        assert answer.status_code == 404
    assert stranger.client.get(address).status_code == 404
    assert stranger.client.get(f"{address}.pdf").status_code == 404
    gone = keeper.client.post(f"{address}/discard", data=form(keeper.client, address))
    assert gone.status_code == 303
    assert keeper.client.get(address).status_code == 404


def test_promises_are_kept_and_rated_at_the_desk(app: Flask, config: Config) -> None:
    keeper = make_keeper(app, config, "longtan")
    boss = office(app, config, "boss")
    data = typed(csrf_token=token_of(keeper.client, "/desk/bulletins"))
    address = keeper.client.post("/desk/bulletins?unit=longtan", data=data).headers["Location"]
    boss.post(f"{address}/publish", data=form(boss, address))
    with app.app_context(), db.reading() as session:
        promise_id = session.scalars(sa.select(Promise.id)).one()
    own = {"csrf_token": token_of(keeper.client, address)}
    url = f"{address}/promises/{promise_id}"
    assert keeper.client.post(f"{url}/done", data=own).status_code == 422
    assert keeper.client.post(f"{url}/done", data=own | {"evidence": "亮了"}).status_code == 303
    assert keeper.client.post(f"{url}/rate", data=own | {"rating": "satisfied"}).status_code == 403
    theirs = {"csrf_token": token_of(boss, address)}
    assert boss.post(f"{url}/rate", data=theirs | {"rating": "great"}).status_code == 422
    assert boss.post(f"{url}/rate", data=theirs | {"rating": "basically"}).status_code == 303
    assert boss.post(f"{address}/withdraw", data=theirs).status_code == 422
    assert boss.post(f"{address}/withdraw", data=theirs | {"reason": "错"}).status_code == 303
    assert keeper.client.post(f"{url}/done", data=own | {"evidence": "x"}).status_code == 409


# --- feeds ----------------------------------------------------------------------------------------


def check_atom(content: bytes) -> ET.Element:
    """The rules of RFC 4287 that a feed of ours can break."""
    root = ET.fromstring(content)
    assert root.tag == f"{ATOM}feed"
    stamp = re.compile(r"\d{4}-\d\d-\d\dT00:00:00(Z|[+-]\d\d:\d\d)")
    for node in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (only,) = node.findall(f"{ATOM}{name}")
            assert (only.text or "").strip()
        assert re.match(r"urn:uuid:[0-9a-f-]{36}$", node.findtext(f"{ATOM}id") or "")
        assert stamp.fullmatch(node.findtext(f"{ATOM}updated") or "")
        for link in node.findall(f"{ATOM}link"):
            assert re.match(r"https?://[^/]+/", link.get("href", ""))
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")].count("self") == 1
    ids = [node.findtext(f"{ATOM}id") for node in root.iter(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))
    return root


def test_both_feeds_keep_the_rules_and_a_reader_reads_them(scene: Scene) -> None:
    client = scene.app.test_client()
    for address in ("/bulletins.atom", "/answers.atom"):
        empty = client.get(address)
        assert empty.mimetype == "application/atom+xml"
        check_atom(empty.get_data())
    odd = dataclasses.replace(TEXT, title="甲 & 乙 <丙>", meeting="怪字 \uffff\U0001f600 ]]> &amp;")
    released(scene, odd)
    _, case_id = scene.opened("路灯坏了")
    scene.answer(case_id, "修好了 <b>")
    for address, words in (("/bulletins.atom", "甲 & 乙 <丙>"), ("/answers.atom", "概括")):
        raw = client.get(address).get_data()
        check_atom(raw)
        read = feedparser.parse(raw)
        assert not read.bozo
        assert words in read.entries[0].title or words in read.entries[0].content[0].value
        assert "<b>" not in read.entries[0].content[0].value


def test_a_withdrawn_entry_is_newer_than_what_it_said(
    scene: Scene,
    hand: Hand,
) -> None:
    bulletin_id = released(scene)
    before = check_atom(scene.app.test_client().get("/bulletins.atom").get_data())
    hand.forward(days=1)
    withdraw(scene, bulletin_id)
    after = check_atom(scene.app.test_client().get("/bulletins.atom").get_data())
    path = f"{ATOM}entry/{ATOM}updated"
    assert (after.findtext(path) or "") > (before.findtext(path) or "")
    assert after.findtext(f"{ATOM}entry/{ATOM}id") == before.findtext(f"{ATOM}entry/{ATOM}id")

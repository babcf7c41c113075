"""People who walk the desk's pages in a test: links followed, forms sent, links and codes kept."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import pyotp
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import county_cli
from app.db import reading, transaction
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.sealing import service as sealing
from app.sealing.models import BoxKey, SealedItem
from app.staff import guard
from app.staff.models import RecoveryKey, Staff
from tests.inspecting_client import elements, find, parse, text_of


class Moving(Protocol):
    """The hand of a test's clock."""

    now: dt.datetime


PASSWORD = "correct horse battery staple"


@dataclass
class Sheet:
    """A page as somebody has it before them."""

    status: int
    location: str
    text: str
    tree: Element | None

    def marked(self, attribute: str) -> list[str]:
        """The texts of the elements with this hook."""
        return [] if self.tree is None else [text_of(e).strip() for e in find(self.tree, attribute)]

    def alert(self) -> str:
        """The sentence of a refusal."""
        assert self.tree is not None
        return " ".join(text_of(e).strip() for e in find(self.tree, "role", "alert"))

    def words(self) -> str:
        """All that can be read on it."""
        return "" if self.tree is None else text_of(self.tree)

    def person(self, username: str) -> Element:
        """The line of somebody in the list of staff."""
        assert self.tree is not None
        return find(self.tree, "data-person", username)[0]

    def holding(self, username: str) -> str | None:
        """How somebody stands to the key."""
        return self.person(username).get("data-holding")

    def button(self, label: str, within: Element | None = None) -> tuple[str, dict[str, str]]:
        """The form with this button: its address and its hidden fields."""
        assert self.tree is not None
        for form in elements(self.tree if within is None else within, "form"):
            if any(text_of(b).strip() == label for b in elements(form, "button")):
                fields = {
                    e.get("name") or "": e.get("value") or ""
                    for e in elements(form, "input")
                    if e.get("type") not in ("checkbox", "radio")
                }
                return form.get("action") or "", fields
        raise AssertionError(f"no button {label!r}: {self.alert()}")

    def offers(self, label: str, within: Element | None = None) -> bool:
        """Whether there is such a button."""
        assert self.tree is not None
        place = self.tree if within is None else within
        return any(text_of(b).strip() == label for b in elements(place, "button"))


@dataclass
class Walker:
    """Somebody with a browser, a memory for passwords, and an authenticator."""

    app: Flask
    hand: Moving
    username: str = ""
    password: str = PASSWORD
    totp_secret: str = ""
    codes: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    browser: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.app.test_client()

    def _sheet(self, answer: TestResponse) -> Sheet:
        html = answer.mimetype == "text/html" and answer.status_code not in (301, 302, 303)
        tree = parse(answer.text) if html else None
        sheet = Sheet(answer.status_code, answer.location or "", answer.text, tree)
        self.seen.append(sheet.words())
        return sheet

    def get(self, address: str) -> Sheet:
        """Open an address."""
        return self._sheet(self.browser.get(address))

    def post(self, address: str, **fields: str) -> Sheet:
        """Send fields with this session's token, as a crafted form would."""
        return self._sheet(self.browser.post(address, data={"csrf_token": self.token(), **fields}))

    def token(self) -> str:
        """The CSRF token of the open desk."""
        with self.browser:
            self.browser.get("/desk")
            own = guard.own_session()
            return own.csrf_token if own else ""

    def press(
        self, sheet: Sheet, label: str, within: Element | None = None, /, **fields: str
    ) -> Sheet:
        """Press a button of a page, its fields filled in; follows a 303."""
        address, hidden = sheet.button(label, within)
        answer = self._sheet(self.browser.post(address, data={**hidden, **fields}))
        return self.get(answer.location) if answer.status == 303 else answer

    def code(self) -> str:
        """The one-time code shown now; the clock moves on first, so that it isn't spent."""
        self.hand.now += dt.timedelta(seconds=30)
        return pyotp.TOTP(self.totp_secret).at(self.hand.now)

    def enrol(self, link: str, label: str = "办好账号", password: str = "") -> Sheet:
        """Follow a link, scan, type, prove; keep the recovery codes."""
        address = urlsplit(link).path
        page = self.get(address)
        assert page.status == 200, page.alert()
        self.totp_secret = "".join(page.marked("data-totp-secret")[0].split())
        self.password = password or self.password
        done = self.press(
            page, label, password=self.password, again=self.password, totp=self.code()
        )
        self.codes = done.marked("data-recovery-code")
        return done

    def sign_in(self, **more: str) -> Sheet:
        """Both steps; the queue, or the page of the refusal."""
        second = self.give_password()
        if second.status != 200 or "totp" not in second.text:
            return second
        return self.press(second, "进入工作台", totp=self.code(), **more)

    def give_password(self, password: str = "") -> Sheet:
        """The first step."""
        return self.press(
            self.get("/desk/sign-in"),
            "登录",
            username=self.username,
            password=password or self.password,
        )

    def sign_in_by_code(self, code: str) -> Sheet:
        """Both steps, with a recovery code for the second."""
        return self.press(self.give_password(), "用恢复码进入", recovery=code)

    def invite(self, username: str, role: str, unit: str = "") -> str:
        """Invite somebody; the link."""
        sheet = self.press(
            self.get("/desk/staff"), "发出邀请", username=username, role=role, unit=unit
        )
        assert sheet.status == 200, sheet.alert()
        assert not sheet.alert(), sheet.alert()
        return sheet.marked("data-link")[0]

    def holding_of(self, other: Walker) -> str | None:
        """How somebody stands to the key, as this person's list shows it."""
        return self.get("/desk/staff").holding(other.username)

    def is_in(self) -> bool:
        """Whether this browser's desk is open."""
        return self.browser.get("/desk/account").status_code == 200


@dataclass
class County:
    """A county for tests: a tree with boxes, an office account made on the command line."""

    app: Flask
    hand: Moving

    def box(self, slug: str, kind: UnitKind = UnitKind.BRANCH) -> str:
        """A branch, or a supervision group, with a box that nobody keeps yet; the box's id."""
        with self.app.app_context(), transaction() as session:
            parent = session.scalar(sa.select(Unit).where(Unit.slug == "office"))
            parent = parent or organisation.add_unit(
                session, slug="office", name="县直机关", kind=UnitKind.UNIT
            )
            unit = organisation.add_unit(
                session,
                slug=slug,
                name=f"{slug}支部",
                kind=kind,
                parent=parent if kind is UnitKind.BRANCH else None,
            )
            return organisation.add_box(session, unit).id

    def walker(self, username: str, link: str = "") -> Walker:
        """Somebody; with a link they enrol at once."""
        made = Walker(self.app, self.hand, username)
        if link:
            done = made.enrol(link)
            assert done.status == 200, done.alert()
            assert len(made.codes) == 10
        return made

    def office(self, username: str = "zhang") -> Walker:
        """An office account, signed in."""
        walker = self.walker(username, self.cli_link(username, "office"))
        walker.sign_in()
        return walker

    def cli_link(self, *words: str) -> str:
        """What `flask invite` prints."""
        result = self.app.test_cli_runner().invoke(county_cli.invite, list(words))
        assert result.exit_code == 0, result.output
        return result.stdout.strip().splitlines()[0]

    def keeper(self, office: Walker, username: str, unit: str) -> Walker:
        """A keeper invited by the office, enrolled and signed in."""
        walker = self.walker(username, office.invite(username, "keeper", unit))
        walker.sign_in()
        return walker

    def say(self, box_id: str, text: str) -> str:
        """A text sealed to the box's present key, as an opinion is; its id."""
        with self.app.app_context(), transaction() as session:
            key = sealing.current_box_key(session, box_id)
            assert key is not None
            return sealing.store(session, sealing.seal(text.encode(), [key], None))

    def read(self, walker: Walker, item_id: str) -> str | None:
        """What this person's open desk makes of a sealed text; None when it opens nothing."""
        keys = self.keys_at(walker)
        with self.app.app_context(), reading() as session:
            assert session.get(SealedItem, item_id) is not None
            opened = sealing.open_items_at_desk(session, [item_id], keys)
        return opened[item_id].decode() if item_id in opened else None

    def keys_at(self, walker: Walker) -> dict[str, bytes]:
        """The box keys that this person's open desk holds, by box key id."""
        with walker.browser:
            answer = walker.browser.get("/desk/queue")
            return dict(guard.current().keys) if answer.status_code == 200 else {}

    def box_keys(self, box_id: str) -> list[BoxKey]:
        """The pairs of a box, the present one last."""
        with self.app.app_context(), reading() as session:
            keys = session.scalars(sa.select(BoxKey).where(BoxKey.box_id == box_id)).all()
            session.expunge_all()
        return sorted(keys, key=lambda key: (key.retired_on is None, key.retired_on or 0))

    def box_id(self, slug: str) -> str:
        """The id of a branch's box."""
        with self.app.app_context(), reading() as session:
            return organisation.branch(session, slug).box_id or ""

    def staff_id(self, username: str) -> str:
        """The id of an account."""
        with self.app.app_context(), reading() as session:
            return session.scalars(sa.select(Staff.id).where(Staff.username == username)).one()

    def make_paperless(self) -> None:
        """The county's recovery keys are retired: boxes kept from now on have none."""
        with self.app.app_context(), transaction() as session:
            session.execute(sa.update(RecoveryKey).values(retired_on=self.hand.now.date()))

    def act(self, sheet: Sheet, username: str, label: str, by: Walker) -> Sheet:
        """Press a button in somebody's line of the list."""
        return by.press(sheet, label, sheet.person(username))


def path_of(link: str) -> str:
    """The address of a link on this machine."""
    return urlsplit(urljoin("http://localhost/", link)).path


def ids_of(sheet: Sheet, ending: str) -> list[str]:
    """The ids in the forms of a page whose address ends so."""
    return re.findall(rf'action="[^"]*/([0-9a-f]{{32}})/{ending}', sheet.text)

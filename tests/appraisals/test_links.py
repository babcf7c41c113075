"""A private link: one member, one purpose, for a time; nothing else opens its texts."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt

import nacl.utils
import pytest
import sqlalchemy as sa

from app import crypto, db
from app.appraisals import feedback, links, record, self_appraisal
from app.appraisals.models import MemberLink, Purpose, TextKind
from app.errors import Conflict, NotFound
from app.organisation import service as organisation
from app.sealing.models import SealedItem
from app.staff import tokens
from tests.appraisals.conftest import Branch, add_members
from tests.conftest import Hand

SECRET_WORDS = "入党那天说的话我没有忘"


def dump(branch: Branch) -> bytes:
    """Every value of every table, as somebody who stole the database reads it."""
    with branch.scene.app.app_context(), db.reading() as session:
        parts: list[bytes] = []
        for table in db.Base.metadata.sorted_tables:
            for row in session.execute(sa.select(table)):
                parts += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    return b"\n".join(parts)


def secret_of(token: str) -> bytes:
    """The random bytes inside a token."""
    payload = token.split(".")[0]
    key = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).split(b'"')[3].decode()
    return base64.urlsafe_b64decode(key + "==")


def test_a_draft_is_opened_by_its_link_alone_and_by_no_keeper(branch: Branch) -> None:
    issued = branch.ask()
    with branch.scene.writing() as session:
        opened = branch.look(session, issued.token)
        self_appraisal.save(session, opened, [SECRET_WORDS], branch.scene.clock.today())
    with branch.scene.writing() as session:
        found = record.texts(session, branch.ids[0])
        assert [text.kind for text in found] == [TextKind.SELF_DRAFT]
        assert record.opened(session, branch.box.desk(), found) == []
        mine = self_appraisal.own_words(session, branch.look(session, issued.token))
        assert mine is not None
        assert mine.content["answers"] == [SECRET_WORDS]


def test_a_dump_holds_neither_the_words_nor_what_opens_them(branch: Branch) -> None:
    issued = branch.ask()
    branch.hand_in(issued.token, SECRET_WORDS)
    branch.write()
    given = branch.deliver()
    held = dump(branch)
    for words in (SECRET_WORDS, "路灯修得快", "多到村口听听"):
        assert words.encode() not in held
    for token in (issued.token, given.token):
        secret = secret_of(token)
        assert len(secret) == 16
        assert secret not in held
        assert token.encode() not in held


def test_a_link_alone_opens_nothing_without_the_instances_own_half(branch: Branch) -> None:
    branch.write()
    secret = secret_of(branch.deliver().token)
    secrets = branch.scene.config.secrets
    other = dataclasses.replace(secrets, pepper=bytes(32))
    with branch.scene.writing() as session:
        wrap = session.scalars(
            sa.select(SealedItem.receipt_wrap).where(SealedItem.receipt_wrap.is_not(None))
        ).one()
        assert wrap is not None
        assert crypto.unseal(links._private_key(secret, secrets), wrap)
        with pytest.raises(crypto.SealError):
            crypto.unseal(links._private_key(secret, other), wrap)


@pytest.mark.parametrize("made", ["other member", "other purpose", "invented", "cut", "empty"])
def test_a_crafted_link_opens_nobodys_page(branch: Branch, made: str) -> None:
    """Even whoever holds the signing key can't make a link to a page: they need its secret."""
    branch.write(1)
    theirs = branch.deliver(1)
    secrets, until = branch.scene.config.secrets, branch.scene.clock.now() + links.LIFETIME
    key = base64.urlsafe_b64encode(secret_of(theirs.token)).decode().rstrip("=")
    name = links._PURPOSES
    token = {
        # The id of another's row where the secret should stand.
        "other member": tokens.sign(
            secrets.instance_secret, name[Purpose.FEEDBACK],
            {"key": base64.urlsafe_b64encode(bytes.fromhex(theirs.link_id)).decode().rstrip("=")},
            until,
        ),
        "other purpose": tokens.sign(
            secrets.instance_secret, name[Purpose.SELF], {"key": key}, until
        ),
        "invented": tokens.sign(
            secrets.instance_secret, name[Purpose.FEEDBACK],
            {"key": base64.urlsafe_b64encode(nacl.utils.random(16)).decode().rstrip("=")}, until,
        ),
        "cut": theirs.token[:-1],
        "empty": "",
    }[made]  # fmt: skip
    with branch.scene.writing() as session, pytest.raises((Conflict, NotFound)):
        branch.look(session, token)


def test_a_link_is_over_after_thirty_days_and_not_a_second_before(
    branch: Branch, hand: Hand
) -> None:
    issued = branch.ask()
    hand.forward(days=30, seconds=-1)
    with branch.scene.writing() as session:
        assert branch.look(session, issued.token)
    hand.forward(seconds=1)
    with branch.scene.writing() as session, pytest.raises(Conflict):
        branch.look(session, issued.token)


def test_a_newer_link_makes_the_former_one_useless_for_good(branch: Branch) -> None:
    branch.write()
    old = branch.deliver()
    branch.deliver()
    with branch.scene.writing() as session, pytest.raises(Conflict):
        branch.look(session, old.token)


def test_a_revoked_link_is_useless_even_to_whoever_copied_the_row_before(branch: Branch) -> None:
    """The wraps are gone: with link, instance and an old row at hand nothing can be opened."""
    branch.write()
    given = branch.deliver()
    with branch.scene.writing() as session:
        row = links.of(session, branch.ids[0], Purpose.FEEDBACK)
        assert row is not None
        columns = {c.key: getattr(row, c.key) for c in MemberLink.__table__.columns}
        assert links.revoke(session, branch.get(session), Purpose.FEEDBACK)
    with branch.scene.writing() as session:
        session.add(MemberLink(**columns))
        session.flush()
        opened = branch.look(session, given.token)
        assert feedback.received(session, opened) is None
        # The committee still has what it gave.
        assert feedback.delivered(session, branch.box.desk(), branch.get(session))


def test_a_revoked_self_link_takes_its_draft_along(branch: Branch) -> None:
    issued = branch.ask()
    with branch.scene.writing() as session:
        opened = branch.look(session, issued.token)
        self_appraisal.save(session, opened, ["写了一半"], branch.scene.clock.today())
    assert branch.sealed() == 1
    with branch.scene.writing() as session:
        links.revoke(session, branch.get(session), Purpose.SELF)
    assert branch.sealed() == 0


def test_a_link_dies_with_the_membership(branch: Branch) -> None:
    gone, moved = branch.ask(0), branch.ask(1)
    with branch.scene.writing() as session:
        today = branch.scene.clock.today()
        organisation.leave(session, record.member_of(session, branch.get(session, 0)), today)
        record.member_of(session, branch.get(session, 1)).unit_id = branch.scene.there.unit_id
    for issued in (gone, moved):
        with branch.scene.writing() as session, pytest.raises(Conflict):
            branch.look(session, issued.token)
    with pytest.raises(Conflict):
        branch.ask(0)


def test_links_of_two_members_share_nothing(branch: Branch) -> None:
    tokens_made = [branch.ask(number).token for number in range(3)]
    assert len({secret_of(token) for token in tokens_made}) == 3
    branch.hand_in(tokens_made[0], "甲的话")
    with branch.scene.writing() as session:
        other = branch.look(session, tokens_made[1])
        assert self_appraisal.own_words(session, other) is None


def test_another_branchs_keeper_reaches_no_appraisal(branch: Branch) -> None:
    stranger = branch.scene.there.desk()
    with branch.scene.writing() as session:
        add_members(session, branch.scene.there.unit_id, "邻居")
        with pytest.raises(NotFound):
            record.get(session, stranger, branch.ids[0])


def test_a_link_says_when_it_lapses_to_the_day(branch: Branch) -> None:
    issued = branch.ask()
    assert issued.expires_at == branch.scene.clock.now() + dt.timedelta(days=30)

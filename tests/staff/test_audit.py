"""The audit keeps ids and codes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.crypto import random_id
from app.staff import audit
from tests.staff.conftest import START


def test_an_act_is_kept_with_its_instant_and_subject(session: Session) -> None:
    case_id, staff_id = random_id(), random_id()
    audit.record(session, START, staff_id, "decline", case_id, "no_facts")
    row = session.scalars(sa.select(audit.AuditRow).where(audit.AuditRow.subject == case_id)).one()
    assert (row.at, row.staff_id, row.action, row.detail) == (
        START,
        staff_id,
        "decline",
        "no_facts",
    )


@pytest.mark.parametrize(
    ("action", "subject", "detail"), [("x" * 65, "", ""), ("", "x" * 65, ""), ("", "", "x" * 121)]
)
def test_a_text_does_not_fit_into_the_audit(
    session: Session, action: str, subject: str, detail: str
) -> None:
    with pytest.raises(ValueError, match="not texts"):
        audit.record(session, START, None, action, subject, detail)

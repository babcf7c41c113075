"""Every model of every room, imported once so that migrations and tests see the whole schema."""

from app import wordindex
from app.appraisals import models as appraisals
from app.bulletins import models as bulletins
from app.campaigns import models as campaigns
from app.cases import models as cases
from app.evaluations import models as evaluations
from app.notifications import models as notifications
from app.organisation import models as organisation
from app.sealing import models as sealing
from app.staff import audit
from app.staff import models as staff
from app.submissions import models as submissions
from app.supervision import models as supervision
from app.transparency import models as transparency

__all__ = [
    "appraisals",
    "audit",
    "bulletins",
    "campaigns",
    "cases",
    "evaluations",
    "notifications",
    "organisation",
    "sealing",
    "staff",
    "submissions",
    "supervision",
    "transparency",
    "wordindex",
]

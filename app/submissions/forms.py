"""Public forms: their CSRF token is the ticket, which no session and no cookie backs."""

from __future__ import annotations

from enum import StrEnum

from flask import current_app
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.csrf.core import CSRF, CSRFTokenField
from wtforms.form import BaseForm
from wtforms.validators import AnyOf, ValidationError

from app.cases.models import Rating
from app.errors import N_, Invalid
from app.i18n import gettext
from app.submissions.models import SpeakerGroup
from app.submissions.service import About, Aspect, Publish, Recipient
from app.submissions.ticket import ForgedTicketError, Ticket, read_ticket

STALE_PAGE = N_("这一页打开得太久了，或者没有发完整。您写的都还在下面，请再点一次按钮。")


class TicketCSRF(CSRF):
    """A form is ours when its ticket opens; the opened ticket is kept on the form."""

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        """None of its own: the view writes the ticket of the page that it renders."""
        return ""

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        """Open the ticket; raises ValidationError for a forged one."""
        secret = current_app.config["YANLU"].secrets.instance_secret
        try:
            ticket = read_ticket(field.data or "", secret)
        except ForgedTicketError:
            raise ValidationError(gettext(STALE_PAGE)) from None
        if isinstance(form, PublicForm):
            form.opened_ticket = ticket


class PublicForm(FlaskForm):  # type: ignore[misc]
    """The base of every public form: the ticket, and a field that people leave empty."""

    opened_ticket: Ticket | None = None
    website = StringField()

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """How the form is protected."""

        csrf = True
        csrf_class = TicketCSRF
        csrf_field_name = "ticket"
        csrf_context = None

    def check(self) -> Ticket | None:
        """The opened ticket, None when it is forged; raises Invalid for choices off the list."""
        valid = self.validate_on_submit()
        if self.opened_ticket is None:
            return None
        if self.website.data or not valid:
            raise Invalid(
                N_("有一项没有选对，什么都没有存下。您写的还在下面，请看看各项，再交一次。")
            )
        return self.opened_ticket


def _choice(enum: type[StrEnum], default: StrEnum | None = None) -> StringField:
    """One of the enum's values; what isn't chosen has the default."""
    return StringField(
        validators=[AnyOf([member.value for member in enum])],
        filters=[lambda value: value or (default.value if default else None)],
    )


class OpinionForm(PublicForm):
    """The box's form; whatever isn't chosen has the default of the page."""

    opinion = TextAreaField()
    speaker = _choice(SpeakerGroup, SpeakerGroup.UNSAID)
    aspect = _choice(Aspect, Aspect.OTHER)
    about = _choice(About, About.UNSAID)
    recipient = _choice(Recipient, Recipient.BRANCH)
    publish = _choice(Publish, Publish.SUMMARY)


class ActForm(PublicForm):
    """The forms of the thread page; each uses the fields of its own act."""

    message = TextAreaField()
    reason = TextAreaField()
    rating = _choice(Rating)
    publish = _choice(Publish)
    confirm = StringField()
    picture = StringField()

    def validate(self, extra_validators: object = None) -> bool:
        """Choices are judged by the act that uses them; here the ticket alone."""
        super().validate(extra_validators)
        return not self.ticket.errors

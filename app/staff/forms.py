"""Forms of the desk; their CSRF tokens are stored nowhere, and Flask's session is never used."""

from __future__ import annotations

from flask import current_app
from flask_wtf import FlaskForm  # flask_wtf has no types: hence the ignores below
from wtforms import BooleanField, PasswordField, StringField, ValidationError
from wtforms.csrf.core import CSRF, CSRFTokenField
from wtforms.form import BaseForm

from app.clock import Clock
from app.errors import N_
from app.i18n import gettext
from app.staff import guard, service, tokens
from config import Config

SIGN_IN_FORM = "sign-in form"


class DeskCSRF(CSRF):
    """The token of the session at this desk: HMAC under a key of the cookie's half."""

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        """The session's token; empty where nobody has a session."""
        own = guard.own_session()
        return own.csrf_token if own else ""

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        """Raises Forbidden: a forged form is nothing to correct and send again."""
        guard.check_csrf()


class SignInCSRF(CSRF):
    """A signed token that lapses after a day: there is no session yet to bind it to.

    What stops a foreign page from signing somebody in is the check of Origin in `web`; this token
    stops what can't read our page.
    """

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        """A fresh token."""
        config: Config = current_app.config["YANLU"]
        clock: Clock = current_app.extensions["clock"]
        until = clock.now() + service.FORM_LIFETIME
        return tokens.sign(config.secrets.instance_secret, SIGN_IN_FORM, {}, until)

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        """Raises ValidationError: an old page only has to be sent again."""
        config: Config = current_app.config["YANLU"]
        clock: Clock = current_app.extensions["clock"]
        secret = config.secrets.instance_secret
        if tokens.read(secret, SIGN_IN_FORM, field.data or "", clock.now()) is None:
            raise ValidationError(gettext(N_("这一页打开得太久了。请再输入一次密码。")))


class DeskForm(FlaskForm):  # type: ignore[misc]
    """The base of every form at the desk: its hidden `csrf_token` is the session's."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """How the form is protected."""

        csrf = True
        csrf_class = DeskCSRF
        csrf_field_name = "csrf_token"
        csrf_context = None


def as_text(value: str | None) -> str:
    """A filter: what isn't text (a lone surrogate) becomes a question mark; it matches nothing."""
    return (value or "").encode(errors="replace").decode()


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Name and password."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """How the form is protected."""

        csrf = True
        csrf_class = SignInCSRF
        csrf_field_name = "csrf_token"
        csrf_context = None

    username = StringField(filters=[as_text])
    password = PasswordField(filters=[as_text])


class SecondFactorForm(DeskForm):
    """The one-time code, or a recovery code; `trust`: don't ask on this device for 30 days."""

    totp = StringField(filters=[as_text])
    recovery = StringField(filters=[as_text])
    trust = BooleanField()


class EnrolmentForm(FlaskForm):  # type: ignore[misc]
    """A new password, twice, and the first code of a new second factor."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """How the form is protected."""

        csrf = True
        csrf_class = SignInCSRF
        csrf_field_name = "csrf_token"
        csrf_context = None

    sealed = StringField(filters=[as_text])
    password = PasswordField(filters=[as_text])
    again = PasswordField(filters=[as_text])
    totp = StringField(filters=[as_text])

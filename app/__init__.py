"""Yanlu 言路, an anonymous public suggestion box: this module wires the application alone."""

from __future__ import annotations

import os
import sys

from flask import Flask

from app import cli, db, i18n, journal, models, web
from app.appraisals import act_views as appraisal_act_views
from app.appraisals import desk_views as appraisal_desk_views
from app.appraisals import views as appraisal_views
from app.bulletins import desk_views as bulletin_desk_views
from app.bulletins import views as bulletin_views
from app.campaigns import setup_views
from app.campaigns import views as campaigns_views
from app.cases import precedent_views, queue_views, removal_views, terms
from app.cases import views as cases_views
from app.clock import Clock, use_calendar
from app.evaluations import desk_views as evaluation_desk_views
from app.evaluations import paper_views, slips_views, urn_views
from app.evaluations import views as evaluation_views
from app.intake import sheet_views as intake_sheet_views
from app.intake import views as intake_views
from app.notifications import views as notifications_views
from app.organisation import contact_views, unit_views
from app.organisation import views as organisation_views
from app.staff import (
    account_views,
    audit_views,
    enrolment_views,
    help_views,
    recovery_views,
    roster_views,
)
from app.staff import views as staff_views
from app.statistics import views as statistics_views
from app.submissions import receipt_views
from app.submissions import views as submissions_views
from app.supervision import look_back_views
from app.supervision import views as supervision_views
from app.transparency import views as transparency_views
from config import Config, ConfigError

__all__ = ["create_app", "models"]


_BLUEPRINTS = (
    organisation_views.blueprint,
    unit_views.blueprint,
    contact_views.blueprint,
    submissions_views.blueprint,
    receipt_views.blueprint,
    cases_views.public,
    bulletin_views.blueprint,
    statistics_views.blueprint,
    transparency_views.blueprint,
    cases_views.desk,
    queue_views.blueprint,
    intake_views.blueprint,
    intake_sheet_views.blueprint,
    removal_views.blueprint,
    precedent_views.blueprint,
    bulletin_desk_views.blueprint,
    evaluation_views.blueprint,
    evaluation_desk_views.blueprint,
    slips_views.blueprint,
    urn_views.blueprint,
    paper_views.blueprint,
    appraisal_views.blueprint,
    appraisal_desk_views.blueprint,
    appraisal_act_views.blueprint,
    campaigns_views.blueprint,
    setup_views.blueprint,
    supervision_views.blueprint,
    look_back_views.blueprint,
    notifications_views.public,
    notifications_views.desk,
    staff_views.blueprint,
    enrolment_views.blueprint,
    account_views.blueprint,
    roster_views.blueprint,
    recovery_views.blueprint,
    audit_views.blueprint,
    help_views.blueprint,
)


def _from_environment() -> Config:
    try:
        return Config.from_environ(os.environ)
    except ConfigError as error:
        sys.exit(f"yanlu: {error}")


def create_app(config: Config | None = None, clock: Clock | None = None) -> Flask:
    """The application for a configuration, by default the environment's.

    A bad environment ends the process with one sentence for the operator.
    """
    config = config or _from_environment()
    clock = clock or Clock(config.timezone)
    use_calendar(config.calendar)
    journal.use(config.log_format)
    terms.use(terms.Terms(config.accept_days, config.answer_days, config.appeal_days))
    app = web.QuietFlask(
        __name__,
        template_folder="../templates",
        static_folder="../static",
        static_url_path="/static",
    )
    app.config["YANLU"] = config
    app.extensions["clock"] = clock
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    db.init_app(app, config.database_url, config.database_pool)
    i18n.init_app(app)
    web.init_app(app, config, clock)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    cli.init_app(app)
    return app

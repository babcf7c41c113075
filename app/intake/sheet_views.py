"""What the other channels hand out on paper: posters, labels, forms, the receipts of a meeting."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import crypto
from app.db import reading
from app.errors import N_, DomainError, Invalid
from app.i18n import day, gettext, language, sentence
from app.intake import rights, service, views
from app.organisation.service import Branch
from app.sealing import service as sealing
from app.sheets.opinion_form import FormWords, opinion_forms
from app.sheets.poster import BoxSign, PosterWords, labels, posters
from app.sheets.receipts import Slip, SlipWords, receipt_sheet
from app.staff import guard
from app.submissions.receipt_views import opens_by
from app.web import clock, config, site_url

blueprint = Blueprint("intake_sheets", __name__, url_prefix="/desk/intake")

MOST_POSTERS = 2000
_STEPS = (
    (N_("写"), N_("不登录，不留姓名")),
    (N_("收"), N_("收好回执码，它只给您")),
    (N_("看"), N_("凭回执码看答复，再评一评")),
)


def say(message: str, **values: object) -> str:
    """A sentence as it is printed: the embedded font has simplified characters alone."""
    if language() == "en":
        return gettext(message, **values)
    return message % values if values else message


def _pdf(content: bytes, name: str) -> Response:
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return response


def _box_name(branch: Branch) -> str:
    return f"{branch.path} {branch.name} {say(N_('意见箱'))}".strip()


def _receipt_address() -> str:
    return site_url(url_for("receipts.receipt", lang=None, view=None))


# --- posters and labels ---------------------------------------------------------------------------


@blueprint.get("/posters.pdf")
@guard.desk(*views.WHO)
def poster_sheets() -> Response:
    """The posters or labels of one branch (`unit`), or of all within reach, as one document."""
    kind, slug = request.args.get("kind", "poster"), request.args.get("unit", "")
    with reading() as session:
        reach = views.reach()
        found = (
            [rights.require(session, reach, slug)]
            if slug
            else rights.boxes(session, reach, at_most=MOST_POSTERS)
        )
    draw = labels if kind == "label" else posters
    return _pdf(draw([_sign(branch) for branch in found], _poster_words()), kind[:6])


def _sign(branch: Branch) -> BoxSign:
    address = site_url(url_for("submissions.box", slug=branch.slug, lang=None, view=None))
    return BoxSign(branch.name, branch.path, address, branch.phone or config().county_phone)


def _poster_words() -> PosterWords:
    return PosterWords(
        county=config().county_name,
        call=say(N_("有话，请投进来")),
        box=say(N_("意见箱")),
        scan=say(N_("用手机扫一扫，写几句，投进箱子")),
        steps=[(say(word), say(line)) for word, line in _STEPS],
        promise=say(N_("谁提意见，都不追究。最好用自己的手机和网络。")),
        by_phone=say(N_("不方便上网，请打 ")),
    )


# --- forms ----------------------------------------------------------------------------------------


@blueprint.post("/<slug>/forms")
@guard.desk(*views.WHO)
def opinion_form_sheets(slug: str) -> Response:
    """Blank forms, each with a fresh random code; a change in no table, but a secret: by POST."""
    number = request.form.get("number", "")
    with reading() as session:
        branch = rights.require(session, views.reach(), slug)
    codes = service.new_codes(int(number) if number.isascii() and number.isdigit() else 0)
    words = _form_words(branch)
    return _pdf(opinion_forms([crypto.display_code(code) for code in codes], words), "forms")


def _form_words(branch: Branch) -> FormWords:
    phone = branch.phone or config().county_phone
    return FormWords(
        county=config().county_name,
        title=say(N_("意见表")),
        branch=_box_name(branch),
        how=say(N_("一张写一件事：什么时候、什么地方、什么事。请不要写姓名、电话和门牌。")),
        choices=[
            (say(question), [say(answer) for answer in answers]) for question, answers in _CHOICES
        ],
        office_fold=say(N_("录入联：写好后沿上面的线往后折，粘住。录入的人才拆开。")),
        cut=say(N_("沿上面的线剪下，带回家")),
        receipt=say(N_("回执")),
        receipt_lines=(
            say(N_("凭下面的号码看答复：扫右边的码，或打开网址，输入号码。")),
            _receipt_address(),
            say(N_("录入以后才查得到，县里的承诺也在那里看。")),
            say(N_("录入的工作人员会看到这个号码；谁捡到它，谁就看得到您的意见。")),
            *([say(N_("不方便上网，请打 %(phone)s。"), phone=phone)] if phone else []),
        ),
        home_fold=say(N_("沿上面的线往里折，号码就盖住了")),
        address=_receipt_address(),
    )


_CHOICES = (
    (N_("您是"), (N_("党员"), N_("干部"), N_("群众"), N_("离退休人员"), N_("不说"))),
    (N_("说的是"), (N_("集体"), N_("某个人"), N_("不说"))),
    (N_("由谁来开箱？"), (N_("本支部"), N_("监督组，支部看不到"))),
    (N_("答复公开时"), (N_("可以用我的原话"), N_("只用委员会的概括"), N_("不要公开"))),
)


# --- the receipts of a meeting --------------------------------------------------------------------


@blueprint.post("/<slug>/meeting/receipts")
@guard.desk(*views.WHO)
def meeting_receipts(slug: str) -> ResponseReturnValue:
    """The receipts of a meeting as one sheet; the code is on the paper, the QR has the promise."""
    try:
        desk, receipts, numbers = views.meeting(slug)
    except Invalid as error:
        return _not_printed(error)
    with reading() as session:
        made_on = sealing.opening_key(session).made_on
    slips = [
        Slip(
            say(N_("第 %(number)d 条"), number=number),
            crypto.display_code(receipt.code),
            str(receipt.promise),
        )
        for number, receipt in zip(numbers, receipts, strict=True)
    ]
    words = _slip_words(desk.branch, opens_by(made_on, clock().today()))
    return _pdf(receipt_sheet(slips, words), "receipts")


def _slip_words(branch: Branch, by: dt.date) -> SlipWords:
    lines = (
        say(N_("凭号码看答复：%(address)s"), address=_receipt_address()),
        say(N_("最晚%(day)s开箱。右边的码里只有承诺，没有号码。"), day=day(by)),
        say(N_("记录的工作人员见过这个号码，您的评价会另外计数。")),
        say(N_("谁看到这张纸，就知道意见是您提的，请收好。")),
    )
    return SlipWords(say(N_("回执")), _box_name(branch), lines)


def _not_printed(error: DomainError) -> ResponseReturnValue:
    return render_template("intake/not_printed.html", sentence=sentence(error)), 422

"""The desk's door: who is at it, and whether they may do what a view does.

Where keys live. A dump of the database holds them sealed under passwords, and in sessions under
half keys that only cookies have; a stolen cookie without the database opens nothing. Both meet in
the memory of one request and are forgotten with it: nothing is cached between requests, nothing of
it is logged, and `repr` shows no key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec, cast

from flask import current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.clock import Clock
from app.db import reading
from app.errors import N_, Forbidden
from app.staff import keepers, service, sessions
from app.staff.models import Role
from app.staff.rights import Actor
from app.staff.sessions import OpenSession

COOKIE = "desk"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_P = ParamSpec("_P")


@dataclass(frozen=True)
class Desk:
    """The person at the desk, for one request.

    `box_ids` are the boxes whose keys they hold and whose unit they keep or supervise, `keys` the
    private keys of these boxes by box key id (retired pairs included), unsealed when asked for.
    A role's unit is None for the county.
    """

    staff_id: str
    username: str
    personal_key_id: str
    roles: frozenset[tuple[Role, str | None]]
    box_ids: frozenset[str]
    keys: Mapping[str, bytes] = field(repr=False)
    csrf_token: str = field(repr=False)

    def has(self, *roles: Role) -> bool:
        """Whether the person holds one of the roles, for whatever unit."""
        return any(role in roles for role, _ in self.roles)

    def units_as(self, role: Role) -> frozenset[str | None]:
        """The units for which the person holds the role; None stands for the county."""
        return frozenset(unit_id for held, unit_id in self.roles if held is role)


def desk(
    *roles: Role,
) -> Callable[[Callable[_P, ResponseReturnValue]], Callable[_P, ResponseReturnValue]]:
    """The access rule of a desk view: one of the roles is needed; without any, a signed-in person.

    Stands below the route. Nobody signed in: GET goes to the sign-in page, a change is refused.
    Every POST must bring the session's `csrf_token`: checked here, so that no view can forget it.
    Which unit a thing belongs to is for the service to ask, with `current()`. Raises Forbidden.
    The view carries `access`, the set of roles, for the table of all routes.
    """
    allowed = frozenset(roles)

    def guarded(
        view: Callable[_P, ResponseReturnValue],
    ) -> Callable[_P, ResponseReturnValue]:
        @wraps(view)
        def enter(*args: _P.args, **kwargs: _P.kwargs) -> ResponseReturnValue:
            person = _enter()
            if person is None:
                return _show_in()
            if allowed and not person.has(*allowed):
                raise Forbidden(
                    N_("这一页不在您的职责之内，什么都没有改变。需要的话，请联系县里的管理员。")
                )
            check_csrf()
            return view(*args, **kwargs)

        enter.access = allowed  # type: ignore[attr-defined]
        return enter

    return guarded


def doorstep(
    view: Callable[_P, ResponseReturnValue],
) -> Callable[_P, ResponseReturnValue]:
    """The access rule of the sign-in pages: anybody; the session, if any, is in `own_session()`.

    The view carries `access = None`. Its forms check their own tokens.
    """

    @wraps(view)
    def enter(*args: _P.args, **kwargs: _P.kwargs) -> ResponseReturnValue:
        with reading() as session:
            _find_own(session)
        return view(*args, **kwargs)

    enter.access = None  # type: ignore[attr-defined]
    return enter


def current() -> Desk:
    """The person at the desk; only inside a view under `@desk`."""
    person = _known()
    if person is None:
        raise RuntimeError("current() outside a view that @desk guards")
    return person


def actor() -> Actor:
    """The person at the desk as services know them: roles, and the keys in their session."""
    person = current()
    return Actor(person.staff_id, person.roles, person.keys)


def own_session() -> OpenSession | None:
    """The session of this request's cookie, second factor passed or not; None without a guard."""
    return cast(OpenSession | None, g.get("own_session"))


def username() -> str | None:
    """The name to greet with: set once `@desk` let somebody in, None everywhere else."""
    person = _known()
    return person.username if person else None


def check_csrf() -> None:
    """A change must bring its session's token in the form body. Raises Forbidden."""
    own = own_session()
    if request.method in SAFE_METHODS:
        return
    if own is None or not own.is_own(request.form.get("csrf_token", "")):
        raise Forbidden(
            N_(
                "这一页打开得太久，或者不是从您自己的工作台打开的，什么都没有改变。"
                "请按浏览器的“返回”，刷新后再做一次。"
            )
        )


def _known() -> Desk | None:
    return cast(Desk | None, g.get("desk"))


def _find_own(session: Session) -> OpenSession | None:
    clock: Clock = current_app.extensions["clock"]
    found = sessions.find_session(session, request.cookies.get(COOKIE, ""), clock.now())
    g.own_session = found
    return found


def _enter() -> Desk | None:
    with reading() as session:
        own = _find_own(session)
        staff = service.staff_by_id(session, own.staff_id) if own else None
        if own is None or staff is None or not own.passed_second_factor:
            return None
        keys = own.keys
        held = keepers.held_by(session, staff.id, keys.personal_key_id, keys.private_key)
        g.desk = Desk(
            staff_id=staff.id,
            username=staff.username,
            personal_key_id=keys.personal_key_id,
            roles=keepers.roles_of(session, staff.id),
            box_ids=held.box_ids,
            keys=held.keys,
            csrf_token=own.csrf_token,
        )
    return _known()


def _show_in() -> ResponseReturnValue:
    if request.method in SAFE_METHODS:
        return redirect(url_for("staff.sign_in"), 303)
    raise Forbidden(
        N_(
            "您的登录已经结束，这一步没有做成，什么都没有改变。"
            "请在另一个窗口重新登录，再按浏览器的“返回”，您写的字多半还在。"
        )
    )

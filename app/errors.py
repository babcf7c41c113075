"""What can go wrong in the domain, as sentences for a person; nothing here knows HTTP."""

from __future__ import annotations


def N_(message: str) -> str:
    """Mark a sentence for the catalogue; it is translated at the edge, for its reader."""
    return message


class DomainError(Exception):
    """A rule refused what was asked.

    `message` is the catalogue's key (the sentence in simplified Chinese), `values` its named
    parts, `field` the form field at fault where there is one. What a speaker typed never stands
    in it: errors may reach a log.
    """

    def __init__(self, message: str, *, field: str | None = None, **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.values = values


class Invalid(DomainError):
    """Input that breaks a rule the sentence names; nothing was stored."""


class NotFound(DomainError):
    """There is no such thing, or none that may be told of."""


class Conflict(DomainError):
    """The thing is in a state in which this can't be done."""


class Forbidden(DomainError):
    """This person may not do this."""


class TooMany(DomainError):
    """Too much at once from one place; later is fine."""

"""How people type a Chinese name without typing Chinese: whole pinyin and initials; pure."""

from __future__ import annotations

from itertools import islice

from pypinyin import Style, pinyin

MOST_READINGS = 16
MOST_CHARACTERS = 60


def search_key(name: str) -> str:
    """The name's pinyin and the readings of its initials, lower case, separated by spaces.

    何家坪镇 -> `hejiapingzhen hjpz`. A character with several readings gives further initials, one
    such character at a time, at most 16: 重庆 is found by cq and by zq.
    """
    name = name[:MOST_CHARACTERS].casefold()
    whole = "".join(part[0] for part in pinyin(name, style=Style.NORMAL))
    # Character by character: a phrase that the dictionary knows would hide the other readings.
    readings = [pinyin(c, style=Style.FIRST_LETTER, heteronym=True)[0] for c in name]
    first = "".join(part[0][:1] for part in pinyin(name, style=Style.FIRST_LETTER))
    letters = [sorted({reading[:1] for reading in part}) for part in readings]
    others = (
        first[:place] + letter + first[place + 1 :]
        for place, found in enumerate(letters)
        for letter in found
        if letter != first[place : place + 1]
    )
    initials = {first, *islice(others, MOST_READINGS)}
    return " ".join([_plain(whole), *sorted(_plain(text) for text in initials)])


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum())

"""How long the check of a speaker's text takes: `python -m bench.self_identification`."""

from __future__ import annotations

import gc
import time

from app.submissions.self_identification.check import find

LENGTH = 5000
HOSTILE = {
    "prose": "县政府门口的路灯坏了三个月没人修，打过12345也没有下文。",
    "digits": "1",
    "digits, spaced": "1 ",
    "digits, hyphens": "1--",
    "mobile groups": "138 ",
    "mobiles": "13800138000,",
    "Chinese numerals": "一",
    "doors": "1栋",
    "doors behind a home": "我家1栋2单元",
    "I am": "我是",
    "I called": "我叫",
    "I": "我",
    "surnames": "王",
    "possessives": "的",
    "posts": "书记",
    "posts of mine": "我是书记",
    "kin": "我爱人",
    "kin of somebody": "我是王的",
    "kin at work": "我儿子在局",
    "labels": "联系人",
    "male": "王五,男,",
    "handles": "qq",
    "mail": "a.",
    "mail, nearly": "a@a.",
    "letters": "a",
    "plates": "湘A",
    "only": "我是村唯一",
    "telephones": "电话",
    "commas": ",",
    "blanks": " ",
    "lines": "\n",
    "signatures": "王五\n",
    "zero width": "1\u200b",
    "ligatures": "\ufdfa",
    "accents": "a\u0301",
    "stars": "*",
    "dates": "2024年1月1日",
    "at home": "我家楼上",
    "called back": "打电话1234567给我",
}


def worst(text: str, rounds: int = 5) -> float:
    """Milliseconds of processor time of the slowest of several rounds, the first left aside.

    The collector waits meanwhile: its walk over all that is loaded falls on whoever comes by.
    """
    find(text)
    taken = []
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        begun = time.thread_time()
        find(text)
        taken.append(1000 * (time.thread_time() - begun))
    gc.enable()
    return max(taken)


def hostile(piece: str) -> str:
    """The piece over and over, as long as an opinion may be."""
    return (piece * LENGTH)[:LENGTH]


def main() -> None:
    """Print the table."""
    print(f"{LENGTH} characters of             worst ms")
    results = {name: worst(hostile(piece)) for name, piece in HOSTILE.items()}
    for name, took in sorted(results.items(), key=lambda item: -item[1]):
        print(f"{name:<28}{took:>8.1f}")
    print(f"\nworst of all: {max(results.values()):.1f} ms")


if __name__ == "__main__":
    main()

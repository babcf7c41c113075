"""Text browsers on a terminal of their own: driven by keys, read off the screen."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import pyte
import pytest

LINES = 150  # a page stands on the screen as a whole: nothing has to be scrolled to
PATIENCE = 30.0


class TextBrowser(ABC):
    """A browser in a terminal. Links and buttons are known by their words, fields by their label.

    Where words stand twice on a page, `after` names others that stand before the right ones.
    """

    program: str
    columns = 100

    def __init__(self, home: Path, address: str) -> None:
        program = shutil.which(self.program)
        if program is None:
            pytest.fail(f"no {self.program}: tests/provision.py should have installed it")
        self.home = home
        self._screen = pyte.Screen(self.columns, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._keyboard, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (LINES, self.columns))
        environ = {**os.environ, "TERM": "linux", "LC_ALL": "C.UTF-8", "HOME": str(home)}
        environ |= {"LINES": str(LINES), "COLUMNS": str(self.columns)}  # who runs us may say others
        self._process = subprocess.Popen(
            [program, *self.options(), address], env={**environ, "EDITOR": str(home / "editor")},
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)

    def close(self) -> None:
        """Switch the terminal off."""
        self._process.kill()
        self._process.wait(10)
        os.close(self._keyboard)

    # --- what one sees --------------------------------------------------------------------------

    @property
    def screen(self) -> str:
        """What stands on the screen, empty lines left out."""
        return "\n".join(line.rstrip() for line in self._screen.display if line.strip())

    def under_cursor(self) -> str:
        """What stands from the cursor to the end of its line."""
        line = self._screen.buffer[self._screen.cursor.y]
        return "".join(line[x].data for x in range(self._screen.cursor.x, self.columns))

    def wait(self, seen: Callable[[], object], what: str) -> None:
        """Read on until it is seen."""
        end = time.monotonic() + PATIENCE
        while not seen():
            if time.monotonic() > end:
                pytest.fail(f"{self.program}: waited in vain for {what}\n{self.screen}")
            if select.select([self._keyboard], [], [], 0.1)[0]:
                self._stream.feed(os.read(self._keyboard, 65536))

    def shows(self, *words: str) -> None:
        """Wait until the page that has these words stands there."""
        for each in words:
            self.wait(lambda each=each: each in self.screen, each)  # type: ignore[misc]

    # --- what one does --------------------------------------------------------------------------

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._keyboard, keys.encode())

    @abstractmethod
    def options(self) -> list[str]:
        """The words of the command before the address."""

    @abstractmethod
    def follow(self, link: str, after: str = "") -> None:
        """Go where a link leads."""

    @abstractmethod
    def press(self, button: str, after: str = "") -> None:
        """Press a button."""

    @abstractmethod
    def choose(self, label: str, after: str = "") -> None:
        """Choose one of several."""

    @abstractmethod
    def write(self, label: str, text: str) -> None:
        """Fill in a field of one line."""

    @abstractmethod
    def write_lines(self, label: str, text: str) -> None:
        """Fill in a field of several lines."""


class W3m(TextBrowser):
    """w3m: searched with `/`, moved through with Tab; longer texts are written in an editor."""

    program = "w3m"

    def options(self) -> list[str]:
        """No pictures, and its files away from whoever runs the tests."""
        return ["-o", "auto_image=0", "-o", "use_history=0"]

    def _find(self, *words: str) -> None:
        self.type("g" + "".join(f"/{each}\r" for each in words if each))
        self.wait(lambda: self.under_cursor().startswith(words[-1]), f"the cursor at {words[-1]}")

    def _to_field(self, key: str) -> None:
        before = self.under_cursor()
        self.type(key)
        self.wait(lambda: self.under_cursor() != before, "the next field")

    def follow(self, link: str, after: str = "") -> None:
        self._find(after, link)
        self.type("\r")

    def press(self, button: str, after: str = "") -> None:
        self.follow(button, after)

    def choose(self, label: str, after: str = "") -> None:
        self._find(after, label)
        self._to_field("\x1b\t")
        assert self.under_cursor().startswith(" )" + label), self.under_cursor()
        self.type("\r")
        self.shows(f"(*){label}")

    def write(self, label: str, text: str) -> None:
        self._find(label)
        self._to_field("\t")
        self.type("\r")
        self.shows("TEXT:")
        self.type(text + "\r")
        self.shows(f"[{text}")

    def write_lines(self, label: str, text: str) -> None:
        (self.home / "typed").write_text(text, "utf-8")
        editor = self.home / "editor"
        editor.write_text('#!/bin/sh\nexec cp "$HOME/typed" "$1"\n', "utf-8")
        editor.chmod(0o700)
        self._find(label)
        self._to_field("\t")
        self.type("\r")
        self.shows(*text.split("\n"))


class Lynx(TextBrowser):
    """lynx: links and fields have numbers, typed to get there; it chooses the first of radios."""

    program = "lynx"
    # It breaks no line inside Chinese text and cuts it off where the screen ends.
    columns = 240

    def options(self) -> list[str]:
        """Numbers on links and fields; a cookie would be asked about and stop the walk."""
        settings = self.home / "lynx.cfg"
        settings.write_text(
            "DEFAULT_KEYPAD_MODE:LINKS_AND_FORM_FIELDS_ARE_NUMBERED\nCHARACTER_SET:utf-8\n"
            "SET_COOKIES:TRUE\nACCEPT_ALL_COOKIES:FALSE\n",
            "utf-8",
        )
        return [f"-cfg={settings}"]

    def _go(self, pattern: str, after: str) -> None:
        there = re.search(f"{re.escape(after)}.*?{pattern}", self.screen, re.DOTALL)
        assert there, f"{pattern} isn't on the screen:\n{self.screen}"
        prompt = f"number: {there[1]}"
        self.type(there[1])
        self.shows(prompt)
        self.type("\r")
        self.wait(lambda: prompt not in self.screen, "the prompt to go")

    def follow(self, link: str, after: str = "") -> None:
        self._go(rf"\[(\d+)\]{link}", after)

    def press(self, button: str, after: str = "") -> None:
        self._go(rf"\(\[(\d+)\][^)]*\) {button}", after)
        self.type("\r")

    def choose(self, label: str, after: str = "") -> None:
        self._go(rf"\[(\d+)\]\([ *]\) {label}", after)
        self.type("\r")
        self.shows(f"(*) {label}")

    def write(self, label: str, text: str) -> None:
        self.write_lines(label, text)

    def write_lines(self, label: str, text: str) -> None:
        self._go(r"\[(\d+)\]_", label)
        self.shows("Enter text")
        self.type(text.replace("\n", "\r"))
        self.shows(*(line[-12:] for line in text.split("\n")))  # a field shows the end of it
        self.type("\t")

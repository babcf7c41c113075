"""A browser whose mouse is unplugged: Tab, arrows, Space, Enter and letters."""

from __future__ import annotations

from playwright.sync_api import Page, expect

FOCUSED = "selector => document.activeElement !== null && document.activeElement.matches(selector)"


class Keyboard:
    """Goes through a page by keys alone; what has the focus must show it."""

    MOST = 120

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, selector: str) -> None:
        """Press Tab until it has the focus, and see that one sees it."""
        for _ in range(self.MOST):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(FOCUSED, selector):
                outline = self.page.evaluate(
                    "getComputedStyle(document.activeElement).outlineStyle"
                )
                assert outline != "none", f"{selector} has the focus and doesn't show it"
                return
        raise AssertionError(f"Tab never comes to {selector} on {self.page.url}")

    def has_focus(self, selector: str) -> bool:
        """Whether it has the focus."""
        return bool(self.page.evaluate(FOCUSED, selector))

    def enter(self) -> None:
        """Press Enter where one is; the page that follows stands there afterwards."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def press(self, selector: str, key: str = "Enter") -> None:
        """Go there and press it; the page that follows stands there afterwards."""
        self.go_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press(key)

    def write(self, selector: str, text: str) -> None:
        """Go there and type."""
        self.go_to(selector)
        self.page.keyboard.insert_text(text)
        expect(self.page.locator(selector)).to_have_value(text)

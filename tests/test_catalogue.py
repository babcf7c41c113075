"""Every visible sentence exists in every language."""

from __future__ import annotations

import pytest

from tests import catalogue


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_no_sentence_is_missing_left_over_or_untranslated(language: str) -> None:
    assert catalogue.faults(language) == []


def test_something_is_extracted_from_code_and_from_templates() -> None:
    messages = {str(message.id) for message in catalogue.extracted() if message.id}
    assert any("意见箱" in message for message in messages)
    assert len(messages) > 100

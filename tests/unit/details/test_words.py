"""Causes in words."""

import pytest

from controller.console.words import translations
from controller.details.words import not_pushed
from controller.pushes.receiver import Failure


@pytest.mark.requirement("B4", "C9")
@pytest.mark.parametrize("failure", Failure)
def test_given_any_failure_of_a_push_when_told_then_in_words_of_both_languages(failure: Failure) -> None:
    assert not_pushed(failure) != failure
    assert not not_pushed(failure, translations("zh-CN").gettext).isascii()


def test_given_an_unknown_failure_of_a_push_when_told_then_as_it_is() -> None:
    assert not_pushed("status") == "status"

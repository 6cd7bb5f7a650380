import pytest

from controller.prompts.reading import Language
from testbed.ear import digits_said


@pytest.mark.parametrize(
    ("heard", "digits"),
    [
        ("您的验证码是九三二，四九八。", "932498"),
        ("您的驗證嗎?是九三二四九吧?", "932498"),
        ("是其五一四九一", "751491"),
        ("您的验证码是156、963", "156963"),
        ("三级四〇六二", "34062"),
        ("二一二一二一二一", "21212121"),
        ("是", ""),
        ("", ""),
    ],
)
def test_given_chinese_that_was_heard_when_its_digits_are_asked_for_then_they_are_what_it_sounds_like(
    heard: str, digits: str
) -> None:
    assert digits_said(heard, Language.CHINESE) == digits


@pytest.mark.parametrize(
    ("heard", "digits"),
    [
        (" Hello, your code is four nine two for nine four", "492494"),
        (" Hello, your code is for seven one, seven eight one.", "471781"),
        (" To-won-7, Too Ate 0", "217280"),
        (" Forty, often, someone, tomorrow", ""),
    ],
)
def test_given_english_that_was_heard_when_its_digits_are_asked_for_then_they_are_what_it_sounds_like(
    heard: str, digits: str
) -> None:
    assert digits_said(heard, Language.ENGLISH) == digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.prompts.reading import BOUNDARY, Language, read_aloud

ZH, EN = Language.CHINESE, Language.ENGLISH


def read(text: str) -> list[tuple[Language, str]]:
    return [(passage.language, passage.text) for passage in read_aloud(text)]


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("1234", [(ZH, "一二三四")]),
        ("您好。请按1！", [(ZH, "您好。"), (ZH, "请按一！")]),
        (
            "Hello, your code is 308615. 您好，您的验证码是308615。",
            [
                (EN, "Hello, your code is three zero eight, six one five."),
                (ZH, "您好，您的验证码是三零八，六一五。"),
            ],
        ),
        ("验证码是308615，5 minutes", [(ZH, "验证码是三零八，六一五，"), (EN, "five minutes")]),
        ("您的iPhone 15已发货", [(ZH, "您的iPhone 一五已发货")]),
        (
            "通知：Your order 12 has shipped，请查收",
            [
                (ZH, "通知："),
                (EN, "Your order one two has shipped，"),
                (ZH, "请查收"),
            ],
        ),
        ("价格12.5,涨3.5%", [(ZH, "价格十二点五,涨百分之三点五")]),
        ("您好。Hello, press 1 now.", [(ZH, "您好。"), (EN, "Hello, press one now.")]),
        ("您好。Thanks!", [(ZH, "您好。"), (ZH, "Thanks!")]),
        ("Hello", [(EN, "Hello")]),
        ("...", []),
        ("", []),
        (f"尾号{BOUNDARY}1234{BOUNDARY}{BOUNDARY}5678{BOUNDARY}", [(ZH, "尾号一二三四，五六七八")]),
        (f"Dear{BOUNDARY}Li Lei{BOUNDARY}your order", [(EN, "Dear Li Lei your order")]),
    ],
)
def test_given_a_text_when_read_aloud_then_each_passage_has_its_language(
    text: str, passages: list[tuple[Language, str]]
) -> None:
    assert read(text) == passages


def test_given_only_digits_when_read_in_english_then_they_are_english_words() -> None:
    assert [p.text for p in read_aloud("12", language=EN)] == ["one two"]


@pytest.mark.requirement("D1")
@given(st.text(max_size=60))
def test_given_any_text_when_read_aloud_then_no_digit_is_left(text: str) -> None:
    for passage in read_aloud(text):
        assert not any(character in "0123456789" for character in passage.text)
        assert BOUNDARY not in passage.text

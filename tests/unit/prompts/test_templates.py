import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.prompts.errors import (
    TemplateError,
    TemplateSyntaxError,
    TemplateValueCountError,
    TemplateValueError,
)
from controller.prompts.reading import Language
from controller.prompts.templates import Template, Variable, VariableKind, parse

FULL = "您好${TXT_10}，您的尾号${NUM_4}，${DATE}，${TIME}到期。"


@pytest.mark.requirement("C6")
def test_given_a_template_when_parsed_then_its_variables_come_in_order() -> None:
    template = parse(FULL)
    assert [str(variable) for variable in template.variables] == [
        "${TXT_10}",
        "${NUM_4}",
        "${DATE}",
        "${TIME}",
    ]
    assert template.parts[0] == "您好"
    assert template.variables[0] == Variable(VariableKind.TEXT, 10)


@pytest.mark.requirement("C6")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to say"),
        ("，。", "nothing to say"),
        ("好" * 301, "has 903 bytes, it may have 900"),
        ("您好${NAME}", r"variable \$\{NAME\} is unknown"),
        ("您好${txt_5}", r"variable \$\{txt_5\} is unknown"),
        ("您好${TXT}", r"variable \$\{TXT\} is unknown"),
        ("您好${DATE_3}", r"variable \$\{DATE_3\} is unknown"),
        ("您好${}", r"variable \$\{\} is unknown"),
        ("您好${TXT_0}", "must be from 1 to 32"),
        ("您好${TXT_33}", "must be from 1 to 32"),
        ("您好${NUM_04}", "must be from 1 to 32"),
        ("您好${TXT_5", "has no }"),
        ("您好${${NUM_1}}", "has no }"),
        ("您好${DATE}${TIME}", "must have a comma"),
        ("您好${TIME} ${DATE}", "must have a comma"),
        ("您好\x00", "control character"),
        ("您好\u2060", "control character"),
        ("您好\ud800", "not valid Unicode"),
    ],
)
def test_given_a_template_that_breaks_a_rule_when_parsed_then_the_message_says_which(
    text: str, message: str
) -> None:
    with pytest.raises(TemplateSyntaxError, match=message):
        parse(text)


@pytest.mark.requirement("C6")
@pytest.mark.parametrize(
    "text",
    [
        "好" * 300,
        "您好${DATE},${TIME}",
        "您好${TIME}，${DATE}",
        "于${DATE}的${TIME}",
        "${DATE}${DATE}",
        "花费$5，{}",
        "两行\n可以",
    ],
)
def test_given_a_template_by_the_rules_when_parsed_then_it_is_accepted(text: str) -> None:
    assert parse(text)


@pytest.mark.requirement("C6")
@pytest.mark.parametrize("text", ["Hello 您好", "${TXT_5}您好", "1楼", " 您好"])
def test_given_the_console_rule_when_the_start_is_not_chinese_then_it_is_refused(text: str) -> None:
    assert parse(text)
    with pytest.raises(TemplateSyntaxError, match="start with a Chinese character"):
        parse(text, starts_chinese=True)


@pytest.mark.requirement("C6")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("${TXT_3}", "李雷"),
        ("${TXT_32}", "a" * 32),
        ("${TXT_10}", "好" * 10),
        ("${TXT_5}", "12.50"),
        ("${NUM_4}", "1"),
        ("${TXT_3}", ""),
        ("${NUM_4}", "0012"),
        ("${DATE}", "2024/02/29"),
        ("${TIME}", "00:00"),
        ("${TIME}", "23:59:59"),
    ],
)
def test_given_a_value_that_fits_when_checked_then_it_is_accepted(variable: str, value: str) -> None:
    parse(f"您好{variable}").check([value])


@pytest.mark.requirement("C6")
@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("${TXT_3}", "abcd", "has more than 3 characters"),
        ("${TXT_32}", "好" * 11, "has more than 32 bytes"),
        ("${TXT_5}", "a\nb", "has a control character"),
        ("${TXT_5}", "a\u2060b", "has a control character"),
        ("${TXT_5}", "\udc00", "is not valid Unicode"),
        ("${NUM_4}", "", "must be 1 to 4 digits"),
        ("${NUM_4}", "12345", "must be 1 to 4 digits"),
        ("${NUM_4}", "1.5", "must be 1 to 4 digits"),
        ("${NUM_4}", "１２", "must be 1 to 4 digits"),
        ("${NUM_4}", "12\n", "must be 1 to 4 digits"),
        ("${DATE}", "2023/02/29", "must be a date, YYYY/MM/DD"),
        ("${DATE}", "2023-02-28", "must be a date, YYYY/MM/DD"),
        ("${DATE}", "2023/2/8", "must be a date, YYYY/MM/DD"),
        ("${DATE}", "0000/01/01", "must be a date, YYYY/MM/DD"),
        ("${TIME}", "24:00", "must be a time, HH:MM or HH:MM:SS"),
        ("${TIME}", "9:00", "must be a time, HH:MM or HH:MM:SS"),
        ("${TIME}", "09:00:60", "must be a time, HH:MM or HH:MM:SS"),
    ],
)
def test_given_a_value_that_does_not_fit_when_checked_then_the_error_names_it(
    variable: str, value: str, reason: str
) -> None:
    with pytest.raises(TemplateValueError) as caught:
        parse(f"您好${{TXT_2}}，{variable}").check(["ok", value])
    assert (caught.value.position, caught.value.variable, caught.value.reason) == (2, variable, reason)
    assert str(caught.value) == f"Value 2 for {variable} {reason}"


@pytest.mark.requirement("C6")
@pytest.mark.parametrize("values", [[], ["a", "1", "2026/01/31"], ["a", "1", "2026/01/31", "08:30", "x"]])
def test_given_a_wrong_number_of_values_when_filled_then_both_numbers_are_told(values: list[str]) -> None:
    with pytest.raises(TemplateValueCountError) as caught:
        parse(FULL).fill(values)
    assert (caught.value.expected, caught.value.given) == (4, len(values))


@pytest.mark.requirement("C6", "D1")
def test_given_values_when_filled_and_read_then_dates_and_digits_follow_the_reading_rules() -> None:
    values = ["李雷", "1234", "2017/12/31", "23:59:59"]
    assert parse(FULL).fill(values) == "您好李雷，您的尾号1234，2017/12/31，23:59:59到期。"
    (passage,) = parse(FULL).read(values)
    assert passage.language is Language.CHINESE
    assert passage.text == (
        "您好李雷，您的尾号一二三四，二零一七年十二月三十一日，二十三点五十九分五十九秒到期。"
    )


@pytest.mark.requirement("C6", "D1")
def test_given_two_numbers_side_by_side_when_read_then_they_stay_two_numbers() -> None:
    (passage,) = parse("房间${NUM_2}${NUM_2}.${NUM_1}").read(["12", "34", "5"])
    assert passage.text == "房间一二，三四.五"


@given(st.text(max_size=80))
def test_given_any_text_when_parsed_then_only_a_template_error_comes(text: str) -> None:
    for candidate in (text, "您${" + text + "}"):
        try:
            template = parse(candidate)
        except TemplateError:
            continue
        assert isinstance(template, Template)


@given(st.lists(st.text(max_size=20), min_size=4, max_size=4))
def test_given_any_values_when_read_then_only_a_template_error_comes(values: list[str]) -> None:
    try:
        parse(FULL).read(values)
    except TemplateError:
        return

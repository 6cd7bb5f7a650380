import pytest

from controller.prompts.reading import en


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1234", "one two three four"),
        ("code 308615", "code three zero eight, six one five"),
        ("iPhone15", "iPhone one five"),
        ("flight CA1234", "flight CA one two three four"),
        ("Room 5A", "Room five A"),
        ("May 1st", "May first"),
        ("the 22nd", "the twenty-second"),
        ("2026-01-02T08:05", "January second, twenty twenty-six, eight oh five"),
        ("$12.50", "twelve point five zero dollars"),
        ("￥12345", "one two three, four five yuan"),
        ("5 minutes", "five minutes"),
        (
            "2017/12/31 23:59:59",
            "December thirty-first, twenty seventeen, twenty-three fifty-nine and fifty-nine seconds",
        ),
        ("2026/01/02", "January second, twenty twenty-six"),
        ("2005/03/03", "March third, two thousand five"),
        ("1905/08/12", "August twelfth, nineteen oh five"),
        ("1900/05/20", "May twentieth, nineteen hundred"),
        ("08:05", "eight oh five"),
        ("14:00", "fourteen o'clock"),
        ("00:00", "zero hundred hours"),
        ("00:30:01", "zero thirty and one second"),
        ("2017/02/30", "two zero one seven, zero two, three zero"),
        ("25:00", "two five, zero zero"),
        ("3.14", "three point one four"),
        ("12.50", "twelve point five zero"),
        ("1,234.5", "one thousand two hundred thirty-four point five"),
        ("1000000.5", "one million point five"),
        ("007.5", "zero zero seven point five"),
        ("-5.2", "minus five point two"),
        ("1.2.3", "one point two point three"),
        ("21.5%", "twenty-one point five percent"),
        ("100%", "one hundred percent"),
        ("0.5", "zero point five"),
        ("press #", "press hash "),
    ],
)
def test_given_a_text_when_read_then_digits_dates_times_and_decimals_are_words(text: str, said: str) -> None:
    assert en.read(text) == said

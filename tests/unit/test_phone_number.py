"""Numbers as people read them."""

import pytest

from controller.phone_number import grouped


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8657126880001", "+86 571 2688 0001"),
        ("+8613900001111", "+86 139 0000 1111"),
        ("+861088888888", "+86 10 8888 8888"),
        ("+12125550123", "+1 212 555 0123"),
        ("+74951234567", "+7 49 5123 4567"),
        ("+442071234567", "+44 20 7123 4567"),
        ("+33123456789", "+33 12345 6789"),
        ("+35312345678", "+353 1234 5678"),
        ("+85291234567", "+852 9123 4567"),
        ("+99901702000", "+999 0170 2000"),
        ("+999016031201234", "+999 0160 3120 1234"),
        ("+86123", "+86 123"),
    ],
)
def test_given_a_number_when_shown_then_the_country_code_stands_alone(number: str, shown: str) -> None:
    assert grouped(number, " ") == shown


@pytest.mark.parametrize("text", ["", "10086", "+86139****1111", "+0123", "anonymous", "+", "+86"])
def test_given_no_number_when_shown_then_it_stays_as_it_is(text: str) -> None:
    assert grouped(text) == text

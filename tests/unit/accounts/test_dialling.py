"""A4.3: the shipped policy number by number, and policies of an operator's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.dialling import DiallingPolicy, Verdict
from controller.phone_number import PhoneNumber
from controller.settings import DiallingSettings

SHIPPED = DiallingPolicy(DiallingSettings().allowed, DiallingSettings().forbidden)

ALLOWED = {
    "+8613012345678": "mobile 130",
    "+8613349123456": "mobile 133",
    "+8613900001111": "mobile 139",
    "+8614512345678": "mobile 145",
    "+8614712345678": "mobile 147",
    "+8614912345678": "mobile 149",
    "+8615012345678": "mobile 150",
    "+8616612345678": "mobile 166",
    "+8617012345678": "mobile 170",
    "+8617612345678": "mobile 176",
    "+8618912345678": "mobile 189",
    "+8619912345678": "mobile 199",
    "+861062551234": "Beijing, though 1062 begins other things too",
    "+861064123456": "Beijing, though things have 1064 in front",
    "+861088881234": "Beijing",
    "+862161234567": "Shanghai",
    "+862281234567": "Tianjin",
    "+862361234567": "Chongqing",
    "+862431234567": "Shenyang",
    "+862583123456": "Nanjing",
    "+862787123456": "Wuhan",
    "+862886123456": "Chengdu",
    "+862988123456": "Xi'an",
    "+862081234567": "Guangzhou",
    "+8657126880001": "Hangzhou, eight digits",
    "+8675528780808": "Shenzhen, eight digits",
    "+8631187654321": "Shijiazhuang",
    "+863512345678": "Taiyuan, seven digits",
    "+868988123456": "Hainan, 898 is not Tibet",
    "+868712345678": "Kunming, seven digits",
    "+869512345678": "Ningxia, seven digits: 951 is no short number",
    "+8695123456789": "Ningxia, eight digits",
    "+869412345678": "Gannan",
    "+869712345678": "Xining, seven digits",
}

ABROAD = [  # Hong Kong, Macao, Taiwan, and the rest
    "+85221234567",
    "+85328123456",
    "+886212345678",
    "+12025550123",
    "+442071234567",
    "+81312345678",
    "+74951234567",
    "+6561234567",
    "+8821612345678",
]

FORBIDDEN = [
    # Xinjiang
    "+869912345678",
    "+869902345678",
    "+8699123456789",
    "+869992345678",
    "+869012345678",
    "+869022345678",
    "+869032345678",
    "+869062345678",
    "+869082345678",
    "+869092345678",
    # Tibet
    "+868912345678",
    "+868922345678",
    "+868952345678",
    "+868972345678",
    # short and service numbers
    "+86110",
    "+86120",
    "+8610086",
    "+8612306",
    "+8612345",
    "+8695588",
    "+86955881",
    "+869515123",
    "+8695516789",
    "+8696345",
    "+86963456",
    "+864008208820",
    "+868008208820",
    # things
    "+861064012345678",
    "+861064812345678",
    "+8614012345678",
    "+861401234567890",
    "+8614112345678",
    "+861441234567890",
    "+8614612345678",
    "+8614812345678",
]

NO_NUMBERS = [
    "+8657196345",
    "+861390000111",
    "+86139000011112",
    "+8611123456789",
    "+8612123456789",
    "+862612345678",
    "+8657116880001",
    "+8657196880001",
]


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize("number", ALLOWED)
def test_A4_3_given_the_shipped_policy_when_a_number_of_the_mainland_is_called_then_it_is_allowed(
    number: str,
) -> None:
    assert SHIPPED.judge(PhoneNumber(number)) is Verdict.ALLOWED


REFUSED = {
    **dict.fromkeys(ABROAD, Verdict.ABROAD),
    **dict.fromkeys([*FORBIDDEN, *NO_NUMBERS], Verdict.NOT_ALLOWED),
}


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize("number", REFUSED)
def test_A4_3_given_the_shipped_policy_when_another_number_is_called_then_it_is_refused(number: str) -> None:
    assert SHIPPED.judge(PhoneNumber(number)) is REFUSED[number]


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize("number", FORBIDDEN)
def test_A4_3_given_all_of_the_mainland_allowed_when_what_is_forbidden_is_called_then_it_still_is(
    number: str,
) -> None:
    policy = DiallingPolicy(["+86."], DiallingSettings().forbidden)

    assert policy.judge(PhoneNumber(number)) is Verdict.NOT_ALLOWED


@pytest.mark.requirement("A4.3")
def test_A4_3_given_a_policy_for_two_countries_when_a_third_is_called_then_only_that_is_abroad() -> None:
    policy = DiallingPolicy(["+861[3-9]XXXXXXXXX", "+49N."], ["+49900."])

    assert policy.judge(PhoneNumber("+49301234567")) is Verdict.ALLOWED
    assert policy.judge(PhoneNumber("+49900123456")) is Verdict.NOT_ALLOWED
    assert policy.judge(PhoneNumber("+49110")) is Verdict.NOT_ALLOWED
    assert policy.judge(PhoneNumber("+4312345678")) is Verdict.ABROAD


@pytest.mark.requirement("A4.3")
def test_A4_3_given_nothing_allowed_when_any_number_is_called_then_it_is_abroad() -> None:
    assert DiallingPolicy([]).judge(PhoneNumber("+8613900001111")) is Verdict.ABROAD


@given(digits=st.from_regex(r"[1-9][0-9]{2,14}", fullmatch=True).filter(lambda digits: digits[:3] != "860"))
def test_given_any_number_when_the_policy_allows_all_then_only_what_is_forbidden_is_refused(
    digits: str,
) -> None:
    number = PhoneNumber(f"+{digits}")

    assert DiallingPolicy(["+."]).judge(number) is Verdict.ALLOWED
    assert DiallingPolicy(["+."], [number.e164]).judge(number) is Verdict.NOT_ALLOWED


@given(digits=st.from_regex(r"86[1-9][0-9]{1,14}", fullmatch=True))
def test_given_any_number_of_the_mainland_when_judged_by_the_shipped_policy_then_it_is_never_abroad(
    digits: str,
) -> None:
    assert SHIPPED.judge(PhoneNumber(f"+{digits}")) is not Verdict.ABROAD

import pytest

from controller.prompts.reading import BOUNDARY, zh


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1234", "一二三四"),
        ("1", "一"),
        ("10", "一零"),
        ("0012", "零零一二"),
        ("尾号1101", "尾号一一零一"),
        ("308615", "三零八，六一五"),
        ("1234567", "一二三，四五六七"),
        ("12345678", "一二三，四五六，七八"),
        ("13912345678", "一三九，一二三四，五六七八"),
        ("验证码308615，5分钟内有效", "验证码三零八，六一五，五分钟内有效"),
        ("A12座", "A一二座"),
        ("１２３４", "一二三四"),
        ("12 34", "一二，三四"),
        ("021-5555", "零二一，五五五五"),
        ("1,234", "一，二三四"),
    ],
)
def test_given_digits_when_read_then_they_come_one_by_one(text: str, said: str) -> None:
    assert zh.read(text) == said


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2017/12/31 23:59:59", "二零一七年十二月三十一日，二十三点五十九分五十九秒"),
        ("2017/12/31，23:59:59", "二零一七年十二月三十一日，二十三点五十九分五十九秒"),
        ("2017-12-31T23:59", "二零一七年十二月三十一日，二十三点五十九分"),
        ("2026/01/05", "二零二六年一月五日"),
        ("2026/1/5", "二零二六年一月五日"),
        ("2024/02/29", "二零二四年二月二十九日"),
        ("2000/10/10", "二零零零年十月十日"),
        ("2026/11/20", "二零二六年十一月二十日"),
        ("请于2026/01/05前付款", "请于二零二六年一月五日前付款"),
        ("00:00", "零点整"),
        ("14:00", "十四点整"),
        ("14:30", "十四点三十分"),
        ("8:05", "八点零五分"),
        ("02:10", "两点十分"),
        ("12:00:00", "十二点零分零秒"),
        ("20:08:09", "二十点零八分九秒"),
        ("１４：３０", "十四点三十分"),
        ("09:00-18:30", "九点整，十八点三十分"),
        ("2026/01/01-2026/01/05", "二零二六年一月一日，二零二六年一月五日"),
    ],
)
def test_given_a_standard_date_or_time_when_read_then_it_is_a_date_or_a_time(text: str, said: str) -> None:
    assert zh.read(text) == said


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2017/02/30", "二零一七，零二，三零"),
        ("2017/13/01", "二零一七，一三，零一"),
        ("24:00", "二四，零零"),
        ("12:60", "一二，六零"),
        ("12:30:99", "一二，三零，九九"),
        ("20171231", "二零一，七一二，三一"),
        ("2017/12/3123:59", "二零一七，一二，三一二三:五九"),
    ],
)
def test_given_something_like_a_date_or_time_that_is_none_when_read_then_its_digits_come_one_by_one(
    text: str, said: str
) -> None:
    assert zh.read(text) == said


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3.14", "三点一四"),
        ("0.5", "零点五"),
        ("12.50元", "十二点五零元"),
        ("110.05", "一百一十点零五"),
        ("1005.2", "一千零五点二"),
        ("20010.2", "二万零一十点二"),
        ("1,234.50", "一千二百三十四点五零"),
        ("100005000.1", "一亿零五千点一"),
        ("00.5", "零零点五"),
        ("12345678901234567.5", "一二三四五六七八九零一二三四五六七点五"),
        ("-5.2度", "负五点二度"),
        ("3.5-5.2", "三点五，五点二"),
        ("1.2.3", "一点二点三"),
        ("192.168.1.1", "一九二点一六八点一点一"),
        ("涨3.5%", "涨百分之三点五"),
        ("100%", "百分之一百"),
        ("￥12.5", "十二点五元"),
    ],
)
def test_given_decimals_when_read_then_they_are_decimals(text: str, said: str) -> None:
    assert zh.read(text) == said


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("￥100", "一零零元"),
        ("￥12345", "一二三，四五元"),
        ("金额￥10000，请查收", "金额一零零，零零元，请查收"),
        ("￥1,234", "一，二三四元"),
        ("￥12345.60", "一万二千三百四十五点六零元"),
        ("￥12.50元", "十二点五零元"),
        ("￥5，3个", "五元，三个"),
        ("$100000", "一零零，零零零美元"),
        ("CNY 12.5", "十二点五元"),
        ("￥-12.5", "负十二点五元"),
        ("-￥12.5", "负十二点五元"),
        (f"￥{BOUNDARY}123456{BOUNDARY}元", "一二三，四五六元"),
    ],
)
def test_given_an_amount_of_money_when_read_then_its_unit_stands_once_and_behind_all_of_it(
    text: str, said: str
) -> None:
    assert zh.read(text) == said


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("余额为-12.50元", "余额为负十二点五零元"),
        ("余额为-12元", "余额为负一二元"),
        ("余额为\u221212", "余额为负一二"),
        ("气温-5℃", "气温负五摄氏度"),
        ("－5度", "负五度"),
        ("编号-12", "编号-一二"),
        ("A-5.5", "A-五点五"),
        ("10-20元", "一零，二零元"),
    ],
)
def test_given_a_dash_when_read_then_it_is_a_minus_before_what_can_be_less_than_nothing(
    text: str, said: str
) -> None:
    assert zh.read(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("按#键", "按井号键"),
        ("按#号键", "按井号键"),
        ("按*键", "按星号键"),
        ("按*号键", "按星号键"),
        ("25℃", "二五摄氏度"),
        ("30%~50%", "百分之三十到百分之五十"),
        ("10:00~11:30", "十点整到十一点三十分"),
        ("A+B", "A加B"),
    ],
)
def test_given_a_sign_when_read_then_it_has_a_name(text: str, said: str) -> None:
    assert zh.read(text) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"),
        (10, "十"),
        (11, "十一"),
        (20, "二十"),
        (101, "一百零一"),
        (110, "一百一十"),
        (1010, "一千零一十"),
        (10001, "一万零一"),
        (100000, "十万"),
        (110000, "十一万"),
        (1010101, "一百零一万零一百零一"),
        (100000001, "一亿零一"),
        (9999999999999999, "九千九百九十九万亿九千九百九十九亿九千九百九十九万九千九百九十九"),
    ],
)
def test_given_a_number_when_said_as_a_quantity_then_it_has_its_units(number: int, said: str) -> None:
    assert zh.quantity(number) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{BOUNDARY}3{BOUNDARY}.{BOUNDARY}5{BOUNDARY}元", "三.五元"),
        (f"{BOUNDARY}2017{BOUNDARY}/{BOUNDARY}12{BOUNDARY}/{BOUNDARY}31{BOUNDARY}", "二零一七/一二/三一"),
        (f"{BOUNDARY}3.5{BOUNDARY}元", "三点五元"),
        (f"优惠{BOUNDARY}50{BOUNDARY}%", "优惠百分之五十"),
    ],
)
def test_given_values_side_by_side_when_read_then_none_runs_into_the_next(text: str, said: str) -> None:
    assert zh.read(text) == said

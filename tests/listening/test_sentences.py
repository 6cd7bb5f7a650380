import asyncio
import re
from collections.abc import Callable

import pytest

from controller.prompts import wav
from controller.prompts.reading import Language, read_aloud
from controller.prompts.speech.synthesiser import Synthesiser
from testbed.ear import Ear, digits_in, edits, syllables, tones

CHINESE = (
    "您好，您的快递已到达东门，请尽快领取。",
    "尊敬的客户，您的订单已发货，预计明天下午送达。",
    "温馨提示：您的账户余额不足，请及时充值。",
    "您预约的服务时间为明天上午，请准时到场。",
    "系统检测到服务器温度过高，请立即处理。",
    "您的宽带即将到期，为避免影响使用，请尽快续费。",
    "感谢您的来电，祝您生活愉快，再见。",
    "请问您是否参加本周五的会议？参加请按一，不参加请按二。",
)
DATES = (
    ("您的会议于2017/12/31 23:59:59开始。", "二零一七年十二月三十一日二十三点五十九分五十九秒"),
    ("请在2026/11/05，14:30前付款。", "二零二六年十一月五日十四点三十分"),
    ("本月话费12.58元。", "十二点五八元"),
)
ENGLISH = (
    "Hello, this is a test notification. To confirm, press one.",
    "Your order has been shipped and will arrive tomorrow afternoon.",
    "The temperature of the server is too high, please take action now.",
    "Thank you for calling. Have a nice day.",
)
HINT = "以下是普通话的句子。"


def words(text: str) -> list[str]:
    numbered = re.sub(r"\bone\b", "1", text.lower())
    return re.findall(r"[a-z0-9']+", numbered)


def error_rate(pairs: list[tuple[str, str]], units: Callable[[str], list[str]]) -> float:
    wrong = sum(edits(units(heard), units(said)) for heard, said in pairs)
    return wrong / sum(len(units(said)) for _, said in pairs)


@pytest.mark.requirement("D1", "D2", "D4")
@pytest.mark.asyncio(loop_scope="session")
async def test_given_chinese_sentences_when_heard_on_the_phone_then_nearly_every_syllable_is_right(
    ear: Ear, synthesiser: Synthesiser
) -> None:
    sounds = await asyncio.gather(*map(synthesiser.say, CHINESE))
    pairs = [
        (ear.hear(wav.read(sound), Language.CHINESE, HINT), said)
        for sound, said in zip(sounds, CHINESE, strict=True)
    ]
    assert error_rate(pairs, syllables) <= 0.025, pairs
    assert error_rate(pairs, tones) <= 0.1, pairs


@pytest.mark.requirement("D1")
@pytest.mark.asyncio(loop_scope="session")
async def test_given_dates_times_and_decimals_when_heard_then_they_are_those_of_the_reading_rules(
    ear: Ear, synthesiser: Synthesiser
) -> None:
    for text, _ in DATES:
        sound = wav.read(await synthesiser.say(text))
        (passage,) = read_aloud(text)
        heard = ear.hear(sound, Language.CHINESE, HINT)
        # The recogniser writes numbers in figures: in figures is how both are compared.
        assert digits_in(figures(heard)) == digits_in(figures(passage.text)), heard


@pytest.mark.requirement("D2")
@pytest.mark.asyncio(loop_scope="session")
async def test_given_english_sentences_when_heard_on_the_phone_then_nearly_every_word_is_right(
    ear: Ear, synthesiser: Synthesiser
) -> None:
    sounds = await asyncio.gather(*map(synthesiser.say, ENGLISH))
    pairs = [
        (ear.hear(wav.read(sound), Language.ENGLISH), said)
        for sound, said in zip(sounds, ENGLISH, strict=True)
    ]
    assert error_rate(pairs, words) <= 0.05, pairs


def figures(text: str) -> str:
    """Chinese tens as figures: 二十三 is 23, 十二 is 12, 三十 is 30."""
    text = re.sub(r"(?<![一二三四五六七八九])十", "一十", text)
    text = re.sub(r"十(?![一二三四五六七八九])", "零", text)
    return text.replace("十", "")

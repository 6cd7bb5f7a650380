import pytest

from controller.prompts.speech import models
from controller.prompts.speech.chinese import ChineseFrontEnd
from controller.prompts.speech.english import EnglishFrontEnd
from controller.prompts.speech.vocabulary import TOKENS
from testbed.platform import SPEECH_MODEL


@pytest.fixture(scope="module")
def english() -> EnglishFrontEnd:
    return EnglishFrontEnd.load(*(SPEECH_MODEL / file.name for file in models.ENGLISH_LEXICON))


def test_given_the_dictionaries_when_a_chinese_sentence_is_read_then_words_decide_the_readings(
    english: EnglishFrontEnd,
) -> None:
    chinese = ChineseFrontEnd.load(english)
    assert chinese.phonemes("银行，行走") == "i↗nxa↗ŋ, ɕi↗ŋʦou↓"
    said = chinese.phonemes("重庆的重量：您的OA账号绿色、女士、略，二十一日")
    assert set(said) <= set(TOKENS)


def test_given_the_lexicon_when_english_is_read_then_every_symbol_is_one_of_the_model(
    english: EnglishFrontEnd,
) -> None:
    said = english.phonemes("The iPhone's owner pressed 'confirm' in Shenzhen; VIP customers waited.")
    assert said == ("ði ˈI fˈOnz ˈOnəɹ pɹˈɛst kənfˈɜɹm ɪn ʃˌɛnʒˈɛn; vˈi ˈI pˈi kˈʌstəməɹz wˈAɾᵻd.")
    assert set(said) <= set(TOKENS)

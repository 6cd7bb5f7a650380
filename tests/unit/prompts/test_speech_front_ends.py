import json
from pathlib import Path

import pytest

from controller.prompts.errors import ModelError
from controller.prompts.speech.chinese import ChineseFrontEnd
from controller.prompts.speech.chunks import chunks
from controller.prompts.speech.english import EnglishFrontEnd
from controller.prompts.speech.pinyin import syllable_to_ipa
from controller.prompts.speech.vocabulary import TOKENS, token_ids

ENGLISH = EnglishFrontEnd(
    {
        "hello": "həlˈO",
        "the": "ði",
        "to": "tu",
        "minute": "mˈɪnət",
        "press": "pɹˈɛs",
        "wait": "wˈAt",
        "box": "bˈɑks",
        "apple": "ˈæpᵊl",
        "party": "pˈɑɹɾi",
        "confirm": "kənfˈɜɹm",
        "China": "ʧˈInə",
        "chat": "ʧˈæt",
        "US": "jˌuˈɛs",
        "us": "ˈʌs",
        "make": "mˈAk",
        "A": "ˈA",
        "I": "ˈI",
        "K": "kˈA",
        "W": "dˈʌbᵊlju",
        "X": "ˈɛks",
        "Z": "zˈi",
    }
)


@pytest.mark.parametrize(
    ("syllable", "ipa"),
    [
        ("ni3", "ni↓"),
        ("hao3", "xau↓"),
        ("zhuang4", "ꭧwa↘ŋ"),
        ("shi4", "ʂɨ↘"),
        ("si4", "sɨ↘"),
        ("ri4", "ɻɨ↘"),
        ("yi1", "i→"),
        ("er4", "ɚ↘"),
        ("wu3", "u↓"),
        ("liu4", "ljou↘"),
        ("qi1", "ʨʰi→"),
        ("jiu3", "ʨjou↓"),
        ("ling2", "li↗ŋ"),
        ("yue4", "ɥe↘"),
        ("jue2", "ʨɥe↗"),
        ("xuan3", "ɕɥɛ↓n"),
        ("qun2", "ʨʰy↗n"),
        ("lv4", "ly↘"),
        ("lü4", "ly↘"),
        ("nve4", "nɥe↘"),
        ("dui4", "twei↘"),
        ("tun1", "tʰwə→n"),
        ("bo1", "pwo→"),
        ("wo3", "wo↓"),
        ("o2", "ɔ↗"),
        ("yan2", "jɛ↗n"),
        ("ying1", "i→ŋ"),
        ("yong4", "jʊ↘ŋ"),
        ("weng1", "wə→ŋ"),
        ("de5", "tɤ"),
        ("de", "tɤ"),
    ],
)
def test_given_a_syllable_when_turned_into_ipa_then_tone_and_sounds_are_right(
    syllable: str, ipa: str
) -> None:
    assert syllable_to_ipa(syllable) == ipa


@pytest.mark.parametrize("syllable", ["", "xyz1", "Ni3", "ni6", "你"])
def test_given_no_syllable_when_turned_into_ipa_then_there_is_none(syllable: str) -> None:
    assert syllable_to_ipa(syllable) is None


def test_given_every_syllable_when_turned_into_ipa_then_the_model_knows_its_symbols() -> None:
    initials = (
        "b",
        "p",
        "m",
        "f",
        "d",
        "t",
        "n",
        "l",
        "g",
        "k",
        "h",
        "j",
        "q",
        "x",
        "zh",
        "ch",
        "sh",
        "r",
        "z",
    )
    finals = (
        "a",
        "ai",
        "an",
        "ang",
        "ao",
        "e",
        "ei",
        "en",
        "eng",
        "i",
        "ia",
        "ian",
        "iang",
        "iao",
        "ie",
        "in",
    )
    rounded = ("ing", "iong", "iu", "ong", "ou", "u", "uan", "ue", "ui", "un", "uo", "v", "ve", "o")
    spoken = [syllable_to_ipa(f"{initial}{final}3") for initial in initials for final in (*finals, *rounded)]
    known = [ipa for ipa in spoken if ipa is not None]
    assert len(known) > 500
    assert all(symbol in TOKENS for ipa in known for symbol in ipa)


@pytest.mark.parametrize(
    ("word", "ipa"),
    [
        ("Hello", "həlˈO"),
        ("minutes", "mˈɪnəts"),
        ("boxes", "bˈɑksᵻz"),
        ("parties", "pˈɑɹɾiz"),
        ("apple's", "ˈæpᵊlz"),
        ("pressed", "pɹˈɛst"),
        ("waited", "wˈAɾᵻd"),
        ("waiting", "wˈAɾɪŋ"),
        ("confirmed", "kənfˈɜɹmd"),
        ("making", "mˈAkɪŋ"),
        ("CHINA", "ʧˈInə"),
        ("US", "jˌuˈɛs"),
        ("us", "ˈʌs"),
        ("kz", "kˈA zˈi"),
        ("WAX", "dˈʌbᵊlju ˈA ˈɛks"),
        ("HelloChat", "həlˈO ʧˈæt"),
    ],
)
def test_given_a_word_when_looked_up_then_endings_names_and_letters_are_handled(word: str, ipa: str) -> None:
    assert ENGLISH.word(word) == ipa


def test_given_a_sentence_when_read_then_little_words_are_weak_and_marks_stay() -> None:
    assert ENGLISH.phonemes("Hello, wait to press the box!") == "həlˈO, wˈAt tə pɹˈɛs ðə bˈɑks!"
    assert ENGLISH.phonemes("the apple to apple the") == "ði ˈæpᵊl tʊ ˈæpᵊl ði"


def test_given_lexicon_files_when_loaded_then_the_first_wins_and_variants_have_a_default(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(json.dumps({"record": {"DEFAULT": "ɹˈɛkəɹd", "VERB": "ɹəkˈɔɹd"}, "n": {"NOUN": "x"}}))
    second.write_text(json.dumps({"record": "wrong", "call": "kˈɔl"}))
    front_end = EnglishFrontEnd.load(first, second)
    assert front_end.phonemes("record call") == "ɹˈɛkəɹd kˈɔl"
    with pytest.raises(ModelError, match=r"missing\.json"):
        EnglishFrontEnd.load(tmp_path / "missing.json")


def test_given_chinese_with_latin_words_when_read_then_each_goes_to_its_front_end() -> None:
    syllables = {"您好": ["nin2", "hao3"], "按": ["an4"], "键": ["jian4"]}
    front_end = ChineseFrontEnd(
        lambda run: [run] if run in syllables else list(run), lambda word: syllables[word], ENGLISH
    )
    assert front_end.phonemes("您好，按Hello键。") == "ni↗nxau↓, a↘n həlˈO ʨjɛ↘n."


def test_given_symbols_when_numbered_then_unknown_ones_are_left_out() -> None:
    assert token_ids("ni↓❓") == [56, 51, 169]
    assert (TOKENS["ꭧ"], TOKENS["ʰ"], TOKENS["ᵻ"], TOKENS["\u0303"], len(TOKENS)) == (23, 162, 177, 17, 114)


def test_given_long_phonemes_when_cut_then_pieces_are_short_and_nothing_is_lost() -> None:
    clause = " ".join(["abcde"] * 12)
    text = f"{clause}, {clause}. {clause}"
    pieces = chunks(text, most=60)
    assert all(len(piece.phonemes) <= 60 for piece in pieces)
    assert " ".join(piece.phonemes for piece in pieces).replace(" ", "") == text.replace(" ", "")


def test_given_short_clauses_when_cut_then_they_share_a_call() -> None:
    assert [piece.phonemes for piece in chunks("ab, cd. ef", most=10)] == ["ab, cd. ef"]
    assert [piece.phonemes for piece in chunks("ab, cd. ef", most=7)] == ["ab, cd.", "ef"]


def test_given_one_endless_word_when_cut_then_it_is_cut_anywhere() -> None:
    assert [len(piece.phonemes) for piece in chunks("a" * 25, most=10)] == [10, 10, 5]
    assert chunks("  ") == []

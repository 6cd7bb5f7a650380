"""The symbols that the Kokoro-82M v1.0 model knows, with their numbers (its published configuration)."""

from __future__ import annotations

from typing import Final

_BLOCKS: Final = (
    (1, ";:,.!?"),
    (9, '—…"()“” \u0303ʣʥʦʨᵝꭧAI'),
    (31, "O"),
    (33, "Q"),
    (35, "ST"),
    (39, "W"),
    (41, "Yᵊabcdef"),
    (50, "hijklmnopqrstuvwxyzɑɐɒæ"),
    (75, "βɔɕç"),
    (80, "ɖðʤə"),
    (85, "ɚɛɜ"),
    (90, "ɟ"),
    (92, "ɡ"),
    (99, "ɥ"),
    (101, "ɨɪʝ"),
    (110, "ɯɰŋɳɲɴø"),
    (118, "ɸθœ"),
    (123, "ɹ"),
    (125, "ɾɻ"),
    (128, "ʁɽʂʃʈʧ"),
    (135, "ʊʋ"),
    (138, "ʌɣɤ"),
    (142, "χʎ"),
    (147, "ʒʔ"),
    (156, "ˈˌː"),
    (162, "ʰ"),
    (164, "ʲ"),
    (169, "↓"),
    (171, "→↗↘"),
    (177, "ᵻ"),
)

TOKENS: Final[dict[str, int]] = {
    symbol: first + offset for first, symbols in _BLOCKS for offset, symbol in enumerate(symbols)
}

PAD: Final = 0
"""Stands before and after the symbols of a call."""


def token_ids(phonemes: str) -> list[int]:
    """Numbers of the symbols that the model knows; the others are left out, as in the reference."""
    return [TOKENS[symbol] for symbol in phonemes if symbol in TOKENS]

"""One accent and five colours of status, readable in light and dark, and none beside them."""

import re

import pytest

from controller.console.words import FOLDER

STATIC = FOLDER.parent / "static"
STATUSES = {"neutral", "progress", "success", "warn", "fail"}
LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, of text."""
_STYLE = (STATIC / "console.css").read_text()
_VARIABLE = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})")


def _themes() -> dict[str, dict[str, str]]:
    light = _STYLE[_STYLE.index(":root {") : _STYLE.index("@media (prefers-color-scheme: dark)")]
    system = _STYLE[
        _STYLE.index("@media (prefers-color-scheme: dark)") : _STYLE.index(':root[data-theme="dark"]')
    ]
    dark = _STYLE[_STYLE.index(':root[data-theme="dark"]') : _STYLE.index(':root[data-theme="light"] {')]
    return {
        name: dict(_VARIABLE.findall(text))
        for name, text in {"light": light, "dark by the system": system, "dark": dark}.items()
    }


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_given_black_on_white_when_compared_then_the_contrast_is_the_largest() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("theme", ["light", "dark by the system", "dark"])
def test_given_a_theme_when_its_colours_are_compared_then_text_and_statuses_can_be_read(theme: str) -> None:
    colours = _themes()[theme]
    behind = ("page", "side", "raised")
    said = [*sorted(STATUSES), "accent", "text", "dim"]
    weak = {
        (name, place): round(contrast(colours[name], colours[place]), 2)
        for name in said
        for place in behind
        if contrast(colours[name], colours[place]) < LEAST_CONTRAST
    }
    assert weak == {}
    assert contrast(colours["on-accent"], colours["accent"]) >= LEAST_CONTRAST


@pytest.mark.requirement("C9")
def test_given_both_ways_to_the_dark_when_compared_then_they_are_the_same() -> None:
    themes = _themes()
    assert themes["dark"] == themes["dark by the system"]
    assert set(themes["dark"]) == set(themes["light"])


@pytest.mark.requirement("C9")
def test_given_templates_when_read_then_they_know_five_statuses_and_no_style_of_their_own() -> None:
    faults = {}
    for path in sorted((FOLDER.parent / "templates").glob("*.html")):
        text = path.read_text()
        unknown = set(re.findall(r"\bstatus\(\"(\w+)\"", text)) - STATUSES
        if unknown or re.search(r"\bstyle=", text) or re.search(r"#[0-9a-fA-F]{6}\b", text):
            faults[path.name] = unknown
    assert faults == {}

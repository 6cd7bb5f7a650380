import pytest

from controller.rules.spreadsheet import cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "+86=1", "+"]
)
def test_given_a_text_that_a_spreadsheet_would_run_when_made_a_cell_then_it_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "acme", "+8613900001111", "1200_1", "a=1"])
def test_given_any_other_text_when_made_a_cell_then_it_stays_as_it_is(text: str) -> None:
    assert cell(text) == text

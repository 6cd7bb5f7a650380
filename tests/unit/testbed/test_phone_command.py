"""`voicecall phone`: what it is told must go together."""

import pytest
from typer.testing import CliRunner

from controller.cli import app


@pytest.mark.requirement("E5")
@pytest.mark.parametrize("half", [["--registrar", "192.0.2.1:5060"], ["--user", "+8613900003333"]])
def test_given_half_a_registration_when_the_phone_is_started_then_it_says_what_is_missing(
    half: list[str],
) -> None:
    done = CliRunner().invoke(app, ["phone", *half])
    assert done.exit_code == 2
    assert "--registrar and --user go together" in done.output

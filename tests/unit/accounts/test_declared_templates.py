"""Voice templates from the declaration to what a request meets."""

from pathlib import Path

import pytest

from controller.accounts.declaration import DeclarationError, apply, read_declaration
from controller.accounts.directory import Directory, directory_of
from controller.accounts.errors import TemplateMissing, TemplateNotApproved
from controller.store.database import Database
from controller.store.directory import read_directory
from controller.store.tables import Template

pytestmark = pytest.mark.requirement("C6")

DECLARATION = """
[[accounts]]
id = "acme"
[[accounts.templates]]
id = "parcel"
text = "您好，您的快递已到达${TXT_8}。"
[[accounts.templates]]
id = "draft"
text = "还没有审核。"
approved = false
[[accounts]]
id = "other"
[[accounts.templates]]
id = "parcel"
text = "别的公司的${NUM_2}。"
"""


async def applied(database: Database, directory: Path, text: str) -> tuple[list[str], Directory]:
    """(what became of each template, the directory afterwards)."""
    path = directory / "declaration.toml"
    path.write_text(text, "utf-8")
    declared = read_declaration(path)
    changes = await database.write(lambda session: apply(session, declared, []))
    found = directory_of(await database.read(read_directory))
    return [change.what for change in changes if change.kind == "template"], found


async def test_given_templates_when_applied_again_and_changed_then_each_account_has_its_own(
    database: Database, tmp_path: Path
) -> None:
    assert (await applied(database, tmp_path, DECLARATION))[0] == ["created"] * 3
    assert (await applied(database, tmp_path, DECLARATION))[0] == ["unchanged"] * 3
    what, directory = await applied(database, tmp_path, DECLARATION.replace("${TXT_8}", "${TXT_9}"))

    assert what == ["changed", "unchanged", "unchanged"]
    assert str(directory.template("acme", "parcel").variables[0]) == "${TXT_9}"
    assert str(directory.template("other", "parcel").variables[0]) == "${NUM_2}"
    with pytest.raises(TemplateNotApproved):
        directory.template("acme", "draft")
    with pytest.raises(TemplateMissing):
        directory.template("other", "draft")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (("${TXT_8}", "${NAME}"), "template parcel of account acme: The variable ${NAME} is unknown"),
        (("${TXT_8}", "好" * 300), "template parcel of account acme: The template has 93"),
        (("还没有审核。", "${DATE}${TIME}好"), "template draft of account acme: ${DATE} and ${TIME} next"),
        (('id = "draft"', 'id = "parcel"'), "template parcel of account acme stands twice"),
        (('id = "draft"', f'id = "{"x" * 33}"'), "accounts.0.templates.1.id"),
        (('id = "draft"', 'id = ""'), "accounts.0.templates.1.id"),
        (('text = "还没有审核。"', ""), "accounts.0.templates.1.text"),
    ],
)
def test_given_a_template_at_fault_when_read_then_it_is_named(
    tmp_path: Path, fault: tuple[str, str], said: str
) -> None:
    path = tmp_path / "declaration.toml"
    path.write_text(DECLARATION.replace(*fault), "utf-8")
    with pytest.raises(DeclarationError) as caught:
        read_declaration(path)
    assert said in str(caught.value)


async def test_given_a_template_that_older_rules_let_in_when_read_then_the_others_are_in_force(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await applied(database, tmp_path, DECLARATION)
    await database.write(
        lambda session: session.add(
            Template(account_id="acme", id="old", text="${OLD}", state="approved", usable_text="${OLD}")
        )
    )
    directory = directory_of(await database.read(read_directory))

    assert directory.template("acme", "parcel")
    with pytest.raises(TemplateMissing):
        directory.template("acme", "old")
    assert "can't be used" in caplog.text

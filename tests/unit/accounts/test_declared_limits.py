"""Limits and rules in the declaration: from the file to the directory, and every fault named."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from controller.accounts.changes import Change
from controller.accounts.declaration import DeclarationError, apply, read_declaration
from controller.accounts.directory import Directory, directory_of
from controller.accounts.errors import AddressNotAllowed
from controller.store.database import Database
from controller.store.directory import read_directory

WHOLE = """
[[accounts]]
id = "acme"
active = false
max_calls = 100
calls_per_second = 20
callee_blacklist = ["+8613900001111"]
callee_whitelist = ["+86."]
caller_blacklist = ["+86139XXXXXXXX"]
hours = ["08:00-12:00", "14:00-21:00"]
hours_zone = "Europe/Berlin"
callee_frequency = "warn"
callee_windows = ["2/1h"]
numbers = [{ number = "+8657126880001", max_calls = 4 }, "+8657126880002"]

[[accounts.apps]]
key = "app"
secret = "12345678"
service = "notification"
calls_per_second = 5
ip_whitelist = ["192.0.2.0/24", "2001:db8::1"]
"""
PLAIN = """
[[accounts]]
id = "acme"
numbers = ["+8657126880001", "+8657126880002"]

[[accounts.apps]]
key = "app"
secret = "12345678"
service = "notification"
"""


async def applied(database: Database, tmp_path: Path, *texts: str) -> tuple[list[list[Change]], Directory]:
    changes = []
    for text in texts:
        (tmp_path / "d.toml").write_text(text, "utf-8")
        declared = read_declaration(tmp_path / "d.toml")
        changes.append(await database.write(lambda session: apply(session, declared, [])))  # noqa: B023
    return changes, directory_of(await database.read(read_directory))


async def test_given_all_limits_when_declared_twice_then_they_are_in_force_and_nothing_changes(
    database: Database, tmp_path: Path
) -> None:
    (_first, second), directory = await applied(database, tmp_path, WHOLE, WHOLE)

    assert {change.what for change in second} == {"unchanged"}
    account, app = directory.accounts["acme"], directory.applications["app"]
    assert (account.active, account.max_calls, account.calls_per_second) == (False, 100, 20)
    rules = account.rules
    assert rules.callee_blacklist == ["+8613900001111"]
    assert rules.callee_whitelist == ["+86."]
    assert rules.caller_blacklist == ["+86139XXXXXXXX"]
    assert (rules.hours, rules.hours_zone) == (["08:00-12:00", "14:00-21:00"], "Europe/Berlin")
    assert (rules.callee_frequency, rules.callee_windows) == ("warn", ["2/1h"])
    assert app.calls_per_second == 5
    assert app.ip_whitelist == (ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128"))
    assert [its.max_calls for its in directory.numbers.values()] == [4, None]


async def test_given_limits_that_are_no_longer_declared_when_applied_then_nothing_is_limited(
    database: Database, tmp_path: Path
) -> None:
    _changes, plain = await applied(database, tmp_path, PLAIN)
    changes, directory = await applied(database, tmp_path, WHOLE, PLAIN)

    assert [change.what for change in changes[1]] == ["changed", "changed", "changed", "unchanged"]
    assert directory.accounts == plain.accounts
    assert directory.applications == plain.applications
    assert directory.numbers == plain.numbers


@pytest.mark.parametrize(
    ("address", "taken"), [("192.0.2.9", True), ("198.51.100.1", False), ("2001:db8::1", True), ("", False)]
)
async def test_given_an_ip_whitelist_when_a_request_comes_then_only_its_networks_are_taken(
    database: Database, tmp_path: Path, address: str, taken: bool
) -> None:
    _changes, directory = await applied(database, tmp_path, WHOLE)

    application = directory.applications["app"]
    if taken:
        application.check_address(address)
    else:
        with pytest.raises(AddressNotAllowed):
            application.check_address(address)


FAULTS = {
    'callee_blacklist = ["+86Y"]': ("accounts.0.callee_blacklist.0", "'Y' is none of"),
    'callee_whitelist = ["+86.", "86"]': ("accounts.0.callee_whitelist.1", "begin with +"),
    'caller_blacklist = "+86."': ("accounts.0.caller_blacklist", "must be a list"),
    'hours = ["8-21"]': ("accounts.0.hours.0", "'8-21' is not a span of hours"),
    'hours_zone = "Asia/Nowhere"': ("accounts.0.hours_zone", "not a time zone"),
    'callee_frequency = "sometimes"': ("accounts.0.callee_frequency", "'off', 'warn' or 'refuse'"),
    'callee_windows = ["3"]': ("accounts.0.callee_windows.0", "3/24h"),
    "max_calls = -1": ("accounts.0.max_calls", "must be at least 0"),
    "calls_per_second = -1": ("accounts.0.calls_per_second", "must be at least 0"),
    'daily_cap = "some"': ("accounts.0.daily_cap",),
    "daily_cap = 9.5": ("accounts.0.daily_cap", 'must be a text, as in "0.18"'),
    'minute_price = "-1"': ("accounts.0.minute_price", "must not be negative"),
    'minute_price = "0.00001"': ("accounts.0.minute_price", "at most 4 places"),
    'number_classes = ["cheap"]': ("accounts.0.number_classes.0", "'premium'"),
    'active = "perhaps"': ("accounts.0.active", "must be true or false"),
    "callee_blacklists = []": ("accounts.0.callee_blacklists", "is not known here"),
}


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("line", FAULTS)
def test_A4_4_given_a_faulty_limit_when_declared_then_its_place_and_fault_are_named(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "d.toml").write_text(f'[[accounts]]\nid = "acme"\n{line}\n', "utf-8")

    with pytest.raises(DeclarationError) as caught:
        read_declaration(tmp_path / "d.toml")

    for part in FAULTS[line]:
        assert part in str(caught.value)


def test_given_a_faulty_network_when_declared_then_its_place_is_named(tmp_path: Path) -> None:
    text = WHOLE.replace('"192.0.2.0/24"', '"192.0.2.7/24"')
    (tmp_path / "d.toml").write_text(text, "utf-8")

    with pytest.raises(DeclarationError, match=r"accounts\.0\.apps\.0\.ip_whitelist\.0"):
        read_declaration(tmp_path / "d.toml")

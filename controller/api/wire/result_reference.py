"""docs/reference/result-codes.md: what each code of the wire API means and how to get to see it.

Codes of the cloud service that have no row in `results` are explained too: why they can't occur here.
"""

from controller.api.wire.results import RESULTS, Result

_MEANINGS: dict[str, tuple[str, str]] = {
    "0": ("Done.", "any request that is right"),
    "1010001": (
        "The platform is at fault; with 503 it is shutting down, was stopped, or has no voice node.",
        "stop Asterisk, then call",
    ),
    "1010002": ("A parameter is wrong; the text names it.", "leave out `calleeNbr`"),
    "1010003": ("There is no such app.", "misspell the app key"),
    "1010004": ("The access token is wrong, or a newer one has replaced it.", "`?access_token=x`"),
    "1010005": (
        "The access token is older than `authentication.token_hours`. Log in again.",
        "wait two days",
    ),
    "1010006": ("There is no such path (404), or not with this method (405).", "`GET` where `POST` is meant"),
    "1010007": (
        "The account is switched off, stopped, or frozen as its prepaid balance is used up.",
        "declare it with `active = false`",
    ),
    "1010008": ("The app is not active.", "declare it with `active = false`"),
    "1010009": (
        "Refreshing a token: the app's secret is wrong. Else: the account has spent its `daily_cap`.",
        "`/omp/oauth/refresh` with a wrong `app_secret`",
    ),
    "1010010": (
        "The platform has had as many calls in a second as it takes, or (503) has as much to do as it can, "
        "or (429) so many of the sender's requests were refused that this one was not read; try again in a "
        "second.",
        "more calls than `limits.calls_per_second` or `limits.max_calls`",
    ),
    "1010011": (
        "The app may not call this platform.",
        "Whom an app may call from is its `ip_whitelist` (1020166), what for its service (1010040).",
    ),
    "1010013": (
        "`Created` is too far from the clock, in each of `authentication.created_zones` (as shipped: any).",
        "a `Created` of last week",
    ),
    "1010021": ("The app is not available.", "An app is active, or it is not: 1010008."),
    "1010022": ("The code is not 2 to 8 digits.", "`verifyCode` of `12a`"),
    "1010023": (
        "A number that is to be shown is not the account's, or suspended without a stand-in.",
        "`displayNbr` of somebody else",
    ),
    "1010024": ("`callerNbr` may not be called.", "a `callerNbr` of `+864008208820`"),
    "1010040": ("The app is for another service.", "callVerify with an app for notifications"),
    "1011006": (
        "The number or address is throttled.",
        "The callee's frequency is 1013117; floods of refused requests get 1010010.",
    ),
    "1012001": (
        "App and business number don't belong together.",
        "A `bind_number` is declared with its app, and requests don't name it.",
    ),
    "1012002": ("The voice template was not approved.", "declare it with `approved = false`"),
    "1012003": ("There is no such voice template.", "`templateId` of `nothing`"),
    "1012004": (
        "There are more or fewer `templateParas` than the template has variables (the cloud's own text).",
        "no `templateParas` for a template with one",
    ),
    "1012005": (
        "A value does not fit its variable; the text names item and position.",
        "letters for a `NUM` variable",
    ),
    "1012006": (
        "The business number was not ordered.",
        "Numbers are declared, not ordered; others are 1010023.",
    ),
    "1012012": ("The app may not record.", "`recordFlag` with an app declared without `recording`"),
    "1013001": (
        "The account has as many calls as it may have at a time, or in a second.",
        "more calls than its `max_calls` or `calls_per_second`",
    ),
    "1013002": (
        "The app has had as many calls in a second as it may have.",
        "more calls than its `calls_per_second`",
    ),
    "1013003": (
        "The display number has as many calls as it may have at a time.",
        "more calls than its `max_calls`",
    ),
    "1013004": ("The callee is on a blacklist.", "call a number in `callee_blacklist`"),
    "1013010": (
        "The caller (A of a callback) is on a blacklist.",
        "call a number in `caller_blacklist` back",
    ),
    "1013011": (
        "There is a whitelist, and the callee is not on it.",
        "call a number that is not in `callee_whitelist`",
    ),
    "1013100": (
        "Refused by the security rules.",
        "Each rule here has a code of its own: 1013004 to 1013121.",
    ),
    "1013101": ("Refused as abnormal.", "Each rule here has a code of its own: 1013004 to 1013121."),
    "1013111": ("International calls in are not allowed.", "The API makes calls; it takes none."),
    "1013112": (
        "The number is in a country of which `dialling.allowed` does not speak.",
        "call `+85221234567`",
    ),
    "1013113": (
        "Refused by a rule of which the cloud says no more.",
        "What may be dialled is 1013112, 1010024 or 1010002.",
    ),
    "1013114": (
        "Refused by a rule of which the cloud says no more.",
        "What may be dialled is 1013112, 1010024 or 1010002.",
    ),
    "1013115": (
        "Refused by a rule of which the cloud says no more.",
        "What may be dialled is 1013112, 1010024 or 1010002.",
    ),
    "1013116": (
        "Refused by a rule of which the cloud says no more.",
        "What may be dialled is 1013112, 1010024 or 1010002.",
    ),
    "1013117": ("The callee was called too often.", "call a number more often than `callee_windows` say"),
    "1013118": (
        "The display number is used too often.",
        "Display numbers are limited in calls at a time: 1013003.",
    ),
    "1013119": (
        "The display number is suspended.",
        "Another number is shown in its stead; if there is none, 1010023.",
    ),
    "1013120": ("The client's address is not known.", "A connection has an address."),
    "1013121": ("It is outside the hours in which calls are allowed.", "call outside of `hours`"),
    "1013122": (
        "The sub-account is suspended.",
        "Accounts have no sub-accounts; one that is switched off is 1010007.",
    ),
    "1016001": ("There is no such recording.", "1016002 is answered: two numbers are public for this."),
    "1016002": (
        "There is no such recording (any more), or it is still on its way.",
        "a `fileName` of `nothing.wav`",
    ),
    "1020001": (
        "A parameter is wrong inside the platform.",
        "The platform has no inside of that kind: 1010002.",
    ),
    "1020002": ("The platform is at fault.", "1010001 is answered."),
    "1020003": (
        "A parameter is wrong inside the platform.",
        "The platform has no inside of that kind: 1010002.",
    ),
    "1020150": ("The app is not known inside the platform.", "1010003 is answered."),
    "1020151": ("The cloud's text is not known.", "Nothing public says when to answer it."),
    "1020152": ("There is no such call under way.", "callStop with an unknown `sessionid`"),
    "1020154": ("The cloud's text is not known.", "Nothing public says when to answer it."),
    "1020165": ("The app has as many calls as it may have at a time.", "more calls than `max_calls`"),
    "1020166": (
        "The client's address is not among those that the app may be used from.",
        "an `ip_whitelist` without your address",
    ),
    "1020168": ("The login's address is not allowed.", "A login is under its app's `ip_whitelist`: 1020166."),
    "1020176": (
        "Too many wrong proofs came from this address; it is locked for `authentication.lock_minutes`.",
        "`authentication.lock_after` wrong digests",
    ),
    "1023006": (
        "There is no `Authorization`, the digest is wrong, or the nonce was used before.",
        "leave `Authorization` out",
    ),
    "1023007": ("`Authorization` has no `realm`.", "leave it out"),
    "1023008": ("`Authorization` has no `profile`.", "leave it out"),
    "1023009": ("`realm` is not `SDP`.", "another value"),
    "1023010": ("`profile` is not `UsernameToken`.", "another value"),
    "1023011": ("`type` is not `Appkey`.", "another value"),
    "1023012": ("`Authorization` has no `type`.", "leave it out"),
    "1023013": ("`Authorization` does not begin with `WSSE`.", "`X-WSSE` with another word there"),
    "1023026": ("There is no `X-WSSE`.", "`Authorization: WSSE ...` alone"),
    "1023027": ("`X-WSSE` has no `Username`.", "leave it out"),
    "1023028": ("`X-WSSE` has no `Nonce`.", "leave it out"),
    "1023029": ("`X-WSSE` has no `Created`.", "leave it out"),
    "1023030": ("`X-WSSE` has no `PasswordDigest`.", "leave it out"),
    "1023031": ("`X-WSSE` does not begin with `UsernameToken`.", "another word"),
    "1023033": ("There is no `X-AKSK`.", "leave it out"),
    "1023034": ("`X-AKSK` has no `Username`.", "leave it out"),
    "1023035": ("`X-AKSK` has no `Nonce`.", "leave it out"),
    "1023036": ("`X-AKSK` has no `Created`.", "leave it out"),
    "1023037": ("`X-AKSK` has no `PasswordDigest`.", "leave it out"),
    "1023038": ("`X-AKSK` does not begin with `UsernameToken`.", "another word"),
}
"""Code -> what it means, and how to provoke it, or why it can't occur."""

_BLACK_BOX = (
    "tests/conformance/test_codes.py",
    "test_A4_5_given_what_provokes_a_code_when_sent_then_it_is_answered_as_documented",
)
_PROVOKED_ELSEWHERE = {
    "1010001": (
        "tests/integration/test_trouble.py",
        "test_E4_given_asterisk_is_down_when_a_call_is_asked_for_then_a_clear_error_and_no_half_call",
    ),
    "1010005": (
        "tests/unit/api/test_tokens.py",
        "test_given_48_hours_when_they_are_over_then_1010005_and_a_refresh_helps",
    ),
    "1010010": (
        "tests/unit/api/test_entrance.py",
        "test_A4_5_given_an_app_that_floods_when_another_has_its_address_then_only_it_is_held_up",
    ),
    "1013121": (
        "tests/integration/test_limits.py",
        "test_A4_4_given_hours_that_are_over_when_a_call_is_asked_for_then_1013121_and_when_they_begin",
    ),
    "1020176": (
        "tests/integration/test_generations.py",
        "test_A4_5_given_an_address_that_guesses_passwords_when_there_are_too_many_then_1020176",
    ),
}
"""Code -> file and test that provoke it; those that are not here are provoked by the black-box suite."""

_HEAD = """\
# Result codes

Made from the code by `voicecall reference result-codes`; `make check` fails when it is out of date.

`resultcode` is a string, `resultdesc` a text for people that names the parameter at fault. Statuses other
than 200, 400 and 403 are our reading of a document that does not say.

Each code is provoked by a [test](#which-test-provokes-a-code): by the [conformance
suite](../how-to/conformance.md) (`make conformance`) if that can be done over HTTP alone. `make result-codes`
prints each code with its test or with the reason why it can't occur.

| code | HTTP | text | meaning | to see it |
| --- | --- | --- | --- | --- |
"""

_ABSENT = """
## Codes of the cloud service that do not occur here

A program may have a branch for them; it is never taken.

| code | what the cloud means by it | why it can't occur here |
| --- | --- | --- |
"""

_TESTS = """
## Which test provokes a code

| code | test |
| --- | --- |
"""


def result_page() -> str:
    """The page. Raises KeyError for a code without a meaning."""
    rows = (_row(code, RESULTS[code]) for code in RESULTS)
    absent = (f"| {code} | {text} | {why} |\n" for code, (text, why) in absent_codes().items())
    tests = (f"| {code} | `{'::'.join(test_of(code))}` |\n" for code in RESULTS)
    return "".join([_HEAD, *rows, _ABSENT, *absent, _TESTS, *tests])


def absent_codes() -> dict[str, tuple[str, str]]:
    """Codes of the cloud service that have no row: what the cloud means by each, and why it can't occur."""
    return {code: told for code, told in _MEANINGS.items() if code not in RESULTS}


def test_of(code: str) -> tuple[str, str]:
    """The file and the test that provoke a code."""
    file, name = _BLACK_BOX
    return _PROVOKED_ELSEWHERE.get(code, (file, f"{name}[{code}]"))


def _row(code: str, result: Result) -> str:
    meaning, how = _MEANINGS[code]
    return f"| {code} | {result.status} | {result.text.replace('%s', '...')} | {meaning} | {how} |\n"

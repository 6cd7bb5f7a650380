"""Applications: what customers' programs act for. They are never deleted, and stay with their service."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, SecretStr
from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.accounts.declared import NetworkText, PushUrl
from controller.accounts.number_rules import NumberRuleBroken, check_numbers
from controller.faults import E164, IDENTIFIER
from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Edit, Input, Moment, OwnAccount, Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, Forbidden, wrong_field
from controller.management.roles import Role
from controller.store.tables import Account, App, PushProfile, Service

operations = Operations(
    "application", {NumberRuleBroken: lambda error: wrong_field("bind_number", f"does not fit: {error}")}
)

LONGEST_GRACE = 30 * 24
"""Hours."""
_QUOTAS = {"max_calls", "calls_per_second"}


def _find(session: Session, app_key: str) -> Owner | None:
    found = session.get(App, app_key)
    return None if found is None else Owner(found.account_id)


APPLICATION = Kind("application", "app_key", "The application's app_key.", _find, IDENTIFIER)


class ApplicationView(View):
    """An application, without its secrets."""

    app_key: str
    """Names it; programs prove who they are with it and the secret."""
    account_id: str
    """Whose it is."""
    name: str
    """What it is called."""
    service: Service
    """The service whose API it may use."""
    active: bool
    """false: it can't start calls."""
    recording: bool
    """Whether callbacks may be recorded."""
    quality_inspection: bool
    """Whether it consents that the operator listens to a sample of its recordings."""
    max_calls: int
    """Calls at a time."""
    calls_per_second: int | None
    """Calls accepted in any second; null: any number."""
    ip_whitelist: list[str]
    """Networks that requests come from; none: from anywhere."""
    status_url: str | None
    """Where status pushes go when a request names no address."""
    fee_url: str | None
    """Where CDRs go when a request names no address."""
    push_profile: PushProfile
    """How hard pushes are tried."""
    bind_number: str | None
    """Its business number, that no other application has."""
    login_user: str | None
    """With what old programs log in for an access token."""
    webhook_keys: int
    """How many secrets its pushes are signed with."""
    previous_secret_until: Moment | None
    """Until when the secret before the present one is taken as well."""


class CreatedApplication(ApplicationView):
    """A new application."""

    app_secret: str
    """The secret. It is not shown again; it can only be renewed."""


class LoginForTokens(Input):
    """With what programs of the oldest generation log in."""

    user: str = Field(min_length=1, max_length=64)
    """The user name."""
    password: SecretStr = Field(min_length=8, max_length=256)
    """At least 8 characters."""


class _Settings(Input):
    recording: bool = False
    """Whether callbacks may be recorded."""
    quality_inspection: bool = False
    """Whether it consents that the operator listens to a sample of its recordings."""
    max_calls: int = Field(10, ge=0, le=65535)
    """Calls at a time; another number than 10 is for role operator."""
    calls_per_second: int | None = Field(None, ge=1, le=65535)
    """Calls accepted in any second, null: any number; for role operator."""
    ip_whitelist: list[NetworkText] = Field([], max_length=100)
    """Networks that requests come from; none: from anywhere."""
    status_url: Annotated[PushUrl, Field(max_length=1024)] | None = None
    """Where status pushes go when a request names no address."""
    fee_url: Annotated[PushUrl, Field(max_length=1024)] | None = None
    """Where CDRs go when a request names no address."""
    push_profile: PushProfile = PushProfile.COMPAT
    """How hard pushes are tried: as the cloud does, or durable."""
    bind_number: str | None = Field(None, pattern=E164)
    """Its business number: one of the account's, and no other application's."""
    login: LoginForTokens | None = None
    """For programs that log in for an access token."""


class NewApplication(_Settings):
    """An application to be."""

    name: str = Field(min_length=1, max_length=100)
    """What it is called."""
    service: Service
    """The service whose API it may use; it stays with it."""
    account_id: OwnAccount = None


class ApplicationEdit(_Settings, Edit):
    """What changes; the rest stays."""

    name: str = Field("", min_length=1, max_length=100)
    """What it is called."""
    active: bool = True
    """false: it can't start calls."""


class Renewal(Input):
    """How a secret is renewed."""

    grace_hours: int = Field(0, ge=0, le=LONGEST_GRACE)
    """Hours in which the secret until now is taken as well; 0: it is no good at once."""


class RenewedSecret(View):
    """A new secret."""

    app_secret: str
    """The secret. It is not shown again."""
    previous_secret_until: Moment | None
    """Until when the one before is taken as well."""


class NewWebhookSecret(View):
    """A new secret of Standard Webhooks."""

    webhook_secret: str
    """What receivers check signatures with. It is not shown again."""
    webhook_keys: int
    """How many secrets pushes are signed with now, this one first."""


class ApplicationQuery(AccountQuery):
    """Which applications."""

    service: Service | None = None
    """Those for this service."""
    active: bool | None = None
    """Those that are active, or those that are not."""


def view(row: App) -> ApplicationView:
    """The application as it is shown."""
    return ApplicationView(
        app_key=row.key,
        account_id=row.account_id,
        name=row.name,
        service=Service(row.service),
        active=row.active,
        recording=row.recording,
        quality_inspection=row.quality_inspection,
        max_calls=row.max_calls,
        calls_per_second=row.calls_per_second,
        ip_whitelist=row.ip_whitelist or [],
        status_url=row.status_url,
        fee_url=row.fee_url,
        push_profile=PushProfile(row.push_profile),
        bind_number=row.bind_number,
        login_user=row.login_user,
        webhook_keys=len(row.webhook_secrets),
        previous_secret_until=row.previous_secret_until,
    )


@operations.get("/applications", needs=Role.VIEWER)
async def list_applications(ctx: Context, query: ApplicationQuery) -> Page[ApplicationView]:
    """List applications."""
    statement = select(App)
    if query.service is not None:
        statement = statement.where(col(App.service) == query.service)
    if query.active is not None:
        statement = statement.where(col(App.active) == query.active)
    return await ctx.page(statement, [col(App.key)], query, view, account=col(App.account_id))


@operations.post(
    "/applications",
    needs=Role.DEVELOPER,
    example={"account_id": "acme", "name": "Alarms", "service": "notification"},
)
async def create_application(ctx: Context, body: NewApplication) -> CreatedApplication:
    """Create an application.

    Its secret is in the answer and never shown again. An account has 5 at most unless the operator allows
    it more; they are never deleted, only switched off.
    """
    _check_quotas(ctx, body)
    secret, key = secrets.token_urlsafe(32), secrets.token_hex(16)

    def create(change: Change) -> CreatedApplication:
        _check_room(ctx, change.session)
        row = App(
            key=key,
            account_id=ctx.account,
            service=body.service,
            secret=secret,
            name=body.name,
            **_columns(body, set(_Settings.model_fields)),
        )
        change.session.add(row)
        change.session.flush()
        check_numbers(change.session, row.account_id)
        made = view(row)
        change.record("application", key, account_id=row.account_id, after=made)
        change.in_force()
        return CreatedApplication(**made.model_dump(), app_secret=secret)

    return await ctx.change(create)


@operations.get("/applications/{app_key}", needs=Role.VIEWER, kinds=[APPLICATION])
async def get_application(ctx: Context) -> ApplicationView:
    """Read an application."""
    return await ctx.read(lambda session: view(session.get_one(App, ctx.path["app_key"])))


@operations.patch(
    "/applications/{app_key}",
    needs=Role.DEVELOPER,
    kinds=[APPLICATION],
    example={"recording": True, "status_url": "https://acme.example/status"},
)
async def edit_application(ctx: Context, body: ApplicationEdit) -> ApplicationView:
    """Change an application.

    What is left out stays as it is. It is in force within a second; calls that are under way go on.
    """
    _check_quotas(ctx, body)

    def edit(change: Change) -> ApplicationView:
        row = change.find(App, ctx.path["app_key"])
        before = view(row)
        change.expect(before)
        for name, value in _columns(body, body.model_fields_set).items():
            setattr(row, name, value)
        return _changed(change, row, before)

    return await ctx.change(edit)


@operations.post(
    "/applications/{app_key}/secret",
    needs=Role.DEVELOPER,
    kinds=[APPLICATION],
    example={"grace_hours": 24},
)
async def renew_secret(ctx: Context, body: Renewal) -> RenewedSecret:
    """Renew an application's secret.

    With `grace_hours` requests may be proven with the old one as well for that time, so that programs can
    be changed over one by one; pushes are signed with the new one at once.
    """
    secret = secrets.token_urlsafe(32)
    until = ctx.services.clock.now() + timedelta(hours=body.grace_hours) if body.grace_hours else None

    def renew(change: Change) -> RenewedSecret:
        row = change.find(App, ctx.path["app_key"])
        before = view(row)
        _take(row, secret, until)
        after = _changed(change, row, before)
        return RenewedSecret(app_secret=secret, previous_secret_until=after.previous_secret_until)

    return await ctx.change(renew)


@operations.post("/applications/{app_key}/webhook-secret", needs=Role.DEVELOPER, kinds=[APPLICATION])
async def renew_webhook_secret(ctx: Context) -> NewWebhookSecret:
    """Give an application a new secret of Standard Webhooks.

    Pushes are signed with it and with the one before, if there is one, so that receivers can be changed over.
    """
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"

    def renew(change: Change) -> NewWebhookSecret:
        row = change.find(App, ctx.path["app_key"])
        before = view(row)
        row.webhook_secrets = [secret, *row.webhook_secrets[:1]]
        after = _changed(change, row, before)
        return NewWebhookSecret(webhook_secret=secret, webhook_keys=after.webhook_keys)

    return await ctx.change(renew)


@operations.delete("/applications/{app_key}/webhook-secret", needs=Role.DEVELOPER, kinds=[APPLICATION])
async def remove_webhook_secrets(ctx: Context) -> None:
    """Have an application's pushes no longer signed as Standard Webhooks say."""

    def remove(change: Change) -> None:
        row = change.find(App, ctx.path["app_key"])
        before = view(row)
        row.webhook_secrets = []
        _changed(change, row, before)

    await ctx.change(remove)


def _changed(change: Change, row: App, before: ApplicationView) -> ApplicationView:
    """What follows every change of an application. Raises NumberRuleBroken."""
    change.session.flush()
    check_numbers(change.session, row.account_id)
    after = view(row)
    change.record("application", row.key, account_id=row.account_id, before=before, after=after)
    change.in_force()
    return after


def _take(row: App, secret: str, until: datetime | None) -> None:
    row.previous_secret, row.previous_secret_until = (row.secret, until) if until else (None, None)
    row.secret = secret


def _check_quotas(ctx: Context, body: _Settings) -> None:
    """Quotas are the operator's or the account's operator's to change. Raises Forbidden."""
    if body.model_fields_set & _QUOTAS and not ctx.user.role.covers(Role.OPERATOR):
        raise Forbidden("Quotas (max_calls, calls_per_second) are for role operator")


def _check_room(ctx: Context, session: Session) -> None:
    """Raises Conflict if the account has as many applications as it may have."""
    own = session.get_one(Account, ctx.account).max_apps
    most = ctx.services.settings.management.max_apps if own is None else own
    count = select(func.count()).select_from(App).where(col(App.account_id) == ctx.account)
    present: int = session.execute(count).scalar_one()
    if present >= most:
        raise Conflict(f"The account has {present} applications, and may have {most}")


def _columns(body: _Settings, names: set[str]) -> dict[str, Any]:
    """What the table keeps of these fields."""
    given = body.model_dump(include=names - {"login", "ip_whitelist"})
    if "login" in names:
        given["login_user"] = body.login.user if body.login else None
        given["login_password"] = body.login.password.get_secret_value() if body.login else None
    if "ip_whitelist" in names:
        given["ip_whitelist"] = body.ip_whitelist or None
    return given

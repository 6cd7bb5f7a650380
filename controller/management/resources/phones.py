"""The phone in one's browser: a test number that rings in the page where it was switched on."""

from controller.asterisk.errors import NodeUnavailable, NoPhone
from controller.asterisk.phones import Phone
from controller.management.context import Context
from controller.management.models import Moment, View
from controller.management.operations import Operations
from controller.management.problems import Conflict, Unavailable
from controller.management.roles import Role, Scope

operations = Operations(
    "phone",
    {
        NodeUnavailable: lambda _error: Unavailable("Asterisk can't be reached now"),
        NoPhone: lambda error: Conflict(str(error)),
    },
)


class PhoneView(View):
    """Your phone."""

    number: str | None
    """The test number, while it is switched on."""
    registered: bool
    """Whether calls reach it now."""
    expires_at: Moment | None
    """When it is switched off by itself."""


class SwitchedOnPhone(PhoneView):
    """A phone that was switched on, with what a browser registers with."""

    user: str
    """The SIP user."""
    password: str
    """The SIP password: good for this phone alone, until it is switched off."""
    socket: str
    """Path of the WebSocket that carries SIP, for the session that switched the phone on."""


def view(phone: Phone | None) -> PhoneView:
    """The phone as it is shown."""
    if phone is None:
        return PhoneView(number=None, registered=False, expires_at=None)
    return PhoneView(number=phone.number.e164, registered=phone.registered, expires_at=phone.expires_at)


@operations.get("/phone", needs=Role.DEVELOPER, scope=Scope.OWN)
async def get_phone(ctx: Context) -> PhoneView:
    """Your phone: its test number, and whether it is switched on."""
    return view(ctx.services.fleet.phones.of_user(ctx.user.user_id))


@operations.operation(
    "PUT", "/phone", needs=Role.DEVELOPER, scope=Scope.OWN, problems=[Conflict, Unavailable]
)
async def switch_phone_on(ctx: Context) -> SwitchedOnPhone:
    """Switch your phone on.

    It belongs to the session that asks for it: a token has none. Calls of your account to its number ring at
    who registers with the answer, over the console's WebSocket. One that was on before is switched off.
    """
    user = ctx.user
    if user.session is None:
        raise Conflict("A phone belongs to a login session; tokens have none")
    phone = await ctx.services.fleet.phones.switch_on(user.user_id, user.account_id, user.session)
    await ctx.note("phone", phone.name, account_id=user.account_id, after=view(phone))
    return SwitchedOnPhone(
        **view(phone).model_dump(),
        user=phone.name,
        password=phone.password.get_secret_value(),
        socket="/console/phone/socket",
    )


@operations.delete("/phone", needs=Role.DEVELOPER, scope=Scope.OWN)
async def switch_phone_off(ctx: Context) -> None:
    """Switch your phone off; nothing happens if it is off."""
    phones = ctx.services.fleet.phones
    phone = phones.of_user(ctx.user.user_id)
    if phone is not None:
        await phones.switch_off(phone)
    await ctx.note("phone", phone.name if phone else "", account_id=ctx.user.account_id)

"""The phone in the browser: its page, switching it on and off, and its way to Asterisk."""

from urllib.parse import urlsplit

from aiohttp import web

from controller.console.pages.declared import Pages
from controller.console.phone_socket import SUBPROTOCOL, carry
from controller.console.visit import Visit
from controller.management.identity import note_use
from controller.management.resources.phones import get_phone, switch_phone_off, switch_phone_on
from controller.store import people

pages = Pages()


@pages.get("/phone")
async def phone_page(visit: Visit) -> web.StreamResponse:
    """The phone."""
    return visit.render("phone.html", phone=await visit.run(get_phone))


@pages.post("/phone/on")
async def switch_on(visit: Visit) -> web.StreamResponse:
    """Switch it on: what the page's script registers with."""
    phone = await visit.run(switch_phone_on)
    return web.json_response(phone.model_dump(mode="json"))


@pages.post("/phone/off")
async def switch_off(visit: Visit) -> web.StreamResponse:
    """Switch it off."""
    await visit.run(switch_phone_off)
    return web.Response(status=204)


@pages.get("/phone/socket", is_open=True)
async def socket(visit: Visit) -> web.StreamResponse:
    """SIP over a WebSocket, for the session that switched the phone on."""
    request, actor, services = visit.request, visit.actor, visit.services
    # A page of somebody else's could open a socket with our cookie: browsers always say whose page it is.
    if urlsplit(request.headers.get("Origin", "")).netloc != urlsplit(visit.base_url).netloc:
        return web.Response(status=403, text="Not from a page of this console")
    session = actor.session if actor is not None else None
    if actor is None or session is None or actor.lacks_factor:
        return web.Response(status=401, text="Log in first")
    phone = services.fleet.phones.of_user(actor.user_id)
    if phone is None or phone.session != session:
        return web.Response(status=409, text="Switch the phone on first")
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if SUBPROTOCOL not in [name.strip() for name in offered.split(",")]:
        return web.Response(status=400, text=f"The subprotocol must be {SUBPROTOCOL}")

    async def goes_on() -> bool:
        now, idle = services.clock.now(), services.settings.management.idle_limit
        found = await services.database.read(
            lambda opened: people.user_of_session(opened, session, now, idle)
        )
        if found is not None and found[1]:
            # Who waits for calls is there.
            await note_use(services.database, session, now)
        return found is not None

    return await carry(request, phone, services.fleet.first.settings.ari_url, goes_on)

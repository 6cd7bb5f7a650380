"""The Asterisk nodes, and whether all is well."""

from aiohttp import web

from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.management.resources.nodes import get_health, list_nodes

pages = Pages()


@pages.get("/nodes")
async def nodes(visit: Visit) -> web.StreamResponse:
    """How the platform is, and each of its nodes; asked for again and again by the page itself."""
    template = "nodes_part.html" if visit.is_partial else "nodes.html"
    return visit.render(
        template, health=await visit.run(get_health), nodes=(await visit.run(list_nodes)).items
    )

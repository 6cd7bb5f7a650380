"""The Asterisk nodes, and whether all is well."""

from aiohttp import web

from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.management.resources.nodes import drain_node, get_health, list_nodes, resume_node

pages = Pages()


@pages.get("/nodes")
async def nodes(visit: Visit) -> web.StreamResponse:
    """How the platform is, and each of its nodes; asked for again and again by the page itself."""
    template = "nodes_part.html" if visit.is_partial else "nodes.html"
    return visit.render(
        template,
        health=await visit.run(get_health),
        nodes=(await visit.run(list_nodes)).items,
        may_change=visit.allows(drain_node),
    )


@pages.post("/nodes/{node_name}/drain")
async def drain(visit: Visit) -> web.StreamResponse:
    """The node gets no new calls."""
    await visit.run(drain_node)
    return visit.go("/nodes", "The node gets no new calls; those under way end by themselves.")


@pages.post("/nodes/{node_name}/resume")
async def resume(visit: Visit) -> web.StreamResponse:
    """The node gets calls again."""
    await visit.run(resume_node)
    return visit.go("/nodes", "The node gets calls again.")

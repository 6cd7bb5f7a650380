"""Who is at the other end of a request, also behind proxies - but only those that the operator trusts."""

from collections.abc import Iterable

from aiohttp import web

from controller.rules.networks import Network, is_within


class Remote:
    """Reads X-Forwarded-For and X-Forwarded-Proto of requests that come from a trusted proxy."""

    def __init__(self, trusted_proxies: Iterable[Network]) -> None:
        self._trusted = tuple(trusted_proxies)

    def address(self, request: web.BaseRequest) -> str:
        """The client's address."""
        peer = request.remote or ""
        if not self.is_trusted(peer):
            return peer
        return self.beyond(peer, request.headers.getall("X-Forwarded-For", []))

    def beyond(self, peer: str, forwarded: Iterable[str]) -> str:
        """The last address in the chain of X-Forwarded-For that is no trusted proxy."""
        for hop in reversed([_address(hop) for hop in ",".join(forwarded).split(",") if hop.strip()]):
            if not self.is_trusted(hop):
                return hop
            peer = hop
        return peer

    def base_url(self, request: web.Request) -> str:
        """Scheme, host and port as the client wrote them."""
        scheme = request.scheme
        if self.is_trusted(request.remote or ""):
            forwarded = request.headers.get("X-Forwarded-Proto", scheme).strip().lower()
            scheme = forwarded if forwarded in ("http", "https") else scheme
        # Without a Host, aiohttp would ask the name service who we are.
        host = request.headers.get("Host") or "{}:{}".format(*request.get_extra_info("sockname"))
        return f"{scheme}://{host}"

    def is_trusted(self, text: str) -> bool:
        """Whether that address is a trusted proxy's."""
        return bool(self._trusted) and is_within(text, self._trusted)


def _address(hop: str) -> str:
    """A hop's address alone: some proxies add the port, with which each connection would be somebody else."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop

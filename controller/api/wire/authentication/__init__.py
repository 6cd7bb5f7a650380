"""Who sends a request, in the three ways that clients of the cloud service say it.

X-AKSK (today), X-WSSE (2019 to 2021) and an access token in the query (before). Source: wire API document,
sections 2 and 3.
"""

from controller.api.wire.authentication.authenticator import Authenticated, Authenticator, replayed_nonce
from controller.api.wire.authentication.lockout import Lockout
from controller.api.wire.authentication.tokens import TokenDesk

__all__ = ["Authenticated", "Authenticator", "Lockout", "TokenDesk", "replayed_nonce"]

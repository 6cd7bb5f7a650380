"""Who may do what: roles, what an operation asks for, and who is asking."""

from dataclasses import dataclass
from enum import Enum

from controller.rules.roles import Role as Role


class Scope(Enum):
    """Whose an operation is."""

    OPEN = "open"
    """Anybody's, logged in or not."""
    OWN = "own"
    """About the one who asks."""
    ACCOUNT = "account"
    """About what belongs to an account: its users and the operator's."""
    OPERATOR = "operator"
    """The operator's users alone."""


@dataclass(frozen=True)
class Actor:
    """Who is asking; `account_id` None: one of the operator's own people, who see all accounts."""

    user_id: str
    login: str
    role: Role
    account_id: str | None
    session: str | None = None
    """Digest of the session, if that is how they proved it."""
    lacks_factor: bool = False
    """They must have a second factor and have none: in a session they may set one up, and no more."""

    @property
    def is_operators(self) -> bool:
        return self.account_id is None

    def sees(self, account_id: str | None) -> bool:
        """Whether what belongs to this account (None: the operator) is there for them."""
        return self.is_operators or self.account_id == account_id

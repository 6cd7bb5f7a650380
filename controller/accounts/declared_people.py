"""What a declaration says of people: who may log in, who is told, for whom calls are made."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from controller.accounts.contact_details import ContactDetails, describe
from controller.accounts.qualification import FullName, Qualification
from controller.faults import IDENTIFIER, LOGIN
from controller.rules.roles import LONGEST_PASSWORD, SHORTEST_PASSWORD, Role
from controller.store.enterprise_tables import DocumentKind, Enterprise, EnterpriseState
from controller.store.management_tables import User
from controller.store.tables import Contact

_HASH = r"^\$argon2id\$[\x21-\x7e]{1,400}$"

Id = Annotated[str, Field(pattern=IDENTIFIER)]


class DeclaredUser(BaseModel):
    """Somebody who may log in; without a password the one that they have stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    login: Annotated[str, Field(pattern=LOGIN)]
    name: str = Field("", max_length=200)
    role: Role
    active: bool = True
    password: SecretStr | None = Field(None, min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)
    password_hash: str | None = Field(None, pattern=_HASH, repr=False)

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_hash is not None:
            raise ValueError("give password or password_hash, one of the two")
        return self

    def row(self, user_id: str, account_id: str | None, **more: Any) -> User:
        return User(
            id=user_id,
            login=self.login,
            name=self.name,
            role=self.role.value,
            account_id=account_id,
            active=self.active,
            **more,
        )


class DeclaredContact(ContactDetails):
    """Who is told what concerns the account."""

    id: Id

    def row(self, account_id: str) -> Contact:
        row = Contact(id=self.id, account_id=account_id)
        describe(row, self)
        return row


class DeclaredEnterprise(Qualification):
    """A qualification; its documents are files, relative to the declaration."""

    id: Id
    full_name: FullName
    documents: dict[DocumentKind, Path] = {}
    approved: bool = True

    def row(self, account_id: str, documents: dict[str, Any]) -> Enterprise:
        state = EnterpriseState.APPROVED if self.approved else EnterpriseState.DRAFT
        return Enterprise(
            **self.model_dump(exclude={"documents", "approved"}),
            account_id=account_id,
            state=state,
            reason=None,
            documents=documents,
        )

"""All pages of the console."""

from controller.console.pages import (
    accounts,
    applications,
    audit,
    billing,
    contacts,
    enterprises,
    entrance,
    nodes,
    numbers,
    phone,
    reviews,
    sounds,
    spending,
    templates,
    tokens,
    trunks,
    users,
)
from controller.console.pages.declared import Page

_MODULES = (
    entrance,
    applications,
    numbers,
    accounts,
    enterprises,
    contacts,
    users,
    tokens,
    trunks,
    nodes,
    audit,
    sounds,
    templates,
    reviews,
    billing,
    spending,
    phone,
)

PAGES: tuple[Page, ...] = tuple(page for module in _MODULES for page in module.pages)

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
    sounds,
    templates,
    reviews,
    billing,
    spending,
    accounts,
    enterprises,
    contacts,
    users,
    tokens,
    trunks,
    nodes,
    audit,
)

PAGES: tuple[Page, ...] = tuple(page for module in _MODULES for page in module.pages)

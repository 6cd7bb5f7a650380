"""All pages of the console."""

from controller.console.pages import entrance, phone
from controller.console.pages.declared import Page

_MODULES = (entrance, phone)

PAGES: tuple[Page, ...] = tuple(page for module in _MODULES for page in module.pages)

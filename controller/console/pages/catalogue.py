"""All pages of the console."""

from controller.console.pages import entrance
from controller.console.pages.declared import Page

_MODULES = (entrance,)

PAGES: tuple[Page, ...] = tuple(page for module in _MODULES for page in module.pages)

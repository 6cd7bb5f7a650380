"""All pages of the console."""

from controller.console.pages import billing, entrance, reviews, sounds, spending, templates
from controller.console.pages.declared import Page

_MODULES = (entrance, sounds, templates, reviews, billing, spending)

PAGES: tuple[Page, ...] = tuple(page for module in _MODULES for page in module.pages)

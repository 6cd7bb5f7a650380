"""The wire API's own documentation, made from its code: OpenAPI 3.1 for both directions, and a page."""

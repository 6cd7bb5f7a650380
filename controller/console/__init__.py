"""The web console: pages over the operations of the management API.

A page (`pages/`) asks operations for what it shows and renders a template; a form sends what was typed to an
operation and shows its faults beside the fields. What may be done by whom is decided where it always is, in
`controller.management`.
"""

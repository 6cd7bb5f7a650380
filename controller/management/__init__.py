"""The management API: everything around the calls, over HTTP below /api/v1.

To add operations on a kind of resource: a module in `resources` with its `Operations`, its models
(`Input`, `Edit`, `View`, `PageQuery` or `AccountQuery`), its `Kind` if paths name it, and its handlers;
the module's name in `catalogue`; a specimen of the kind in tests/service/management/specimens.py;
`voicecall reference management-openapi` into docs/reference. What handlers need of the controller is a
field of `context.Services`.

A handler that changes something does so in `ctx.change(work)`: `work(change)` has `change.session`,
finds what is there (`change.find`), compares it with If-Match (`change.expect`), tells the audit trail
(`change.record`), says whether calls are concerned (`change.in_force`) and returns the answer. Rooms that
write in transactions of their own are called directly; the server then adds the entry in the audit trail.
Their errors become problems by the `errors` of `Operations`.
"""

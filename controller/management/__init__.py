"""The management API: everything around the calls, over HTTP below /api/v1."""

"""Calls: what one is, how each service goes, how it ends. One file a flow, one coroutine a call."""

"""The controller: everything between an HTTP request and a ringing phone."""

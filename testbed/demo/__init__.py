"""`make demo`: a real call of each service, from the public HTTP API to softphones, shown and judged."""

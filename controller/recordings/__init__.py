"""Recordings of calls: fetched from Asterisk, kept for their time, handed out by signed links, purged."""

"""Telling the contacts of an account what concerns it: by e-mail and by webhook, from an outbox."""

"""Accounts: who there is, what they own, what they may do."""

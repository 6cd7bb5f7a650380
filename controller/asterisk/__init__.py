"""The fleet: Asterisk nodes, their health, the trunks and routes they dial over, their configuration."""

"""The small languages in which rules about calls are written: numbers, hours, how often, networks. Pure."""

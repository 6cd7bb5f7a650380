"""What demo, tests and benchmarks share: a real Asterisk, real softphones, a push receiver, SIPp."""

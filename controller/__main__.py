"""`python -m controller` is `voicecall`."""

from controller.cli import main

main()

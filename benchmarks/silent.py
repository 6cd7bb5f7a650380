"""`voicecall` that logs warnings alone, which no setting does: what logging costs is measured against it."""

import logging

from controller.__main__ import main

if __name__ == "__main__":
    logging.disable(logging.INFO)
    main()

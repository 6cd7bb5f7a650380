"""Writes a migration from the newest schema to the tables in the code; its words are the argument."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.store.schema import new_migration


def main() -> None:
    message = " ".join(sys.argv[1:])
    if not message:
        raise SystemExit('say what it is for: make migration FOR="access tokens"')
    with TemporaryDirectory() as folder:
        revision = new_migration(f"sqlite:///{Path(folder) / 'work.db'}", message)
    print(f"migration {revision} written; read it before you use it")


if __name__ == "__main__":
    main()

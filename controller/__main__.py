"""The `voicecall` command, which is `python -m controller` too."""

from controller import process


def main() -> None:
    """Run what the command line says."""
    process.end_when_told()
    with process.loading():
        from controller.cli import app
    app()


if __name__ == "__main__":
    main()

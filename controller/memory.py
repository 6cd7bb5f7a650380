"""Python's garbage collector and a process that answers in milliseconds."""

import gc


def settle() -> None:
    """Take what is there now for permanent: it is never searched for garbage again.

    A program of this size has hundreds of thousands of objects after its start, and a full collection would
    stop everything for over a tenth of a second to look at each of them.
    """
    gc.collect()
    gc.freeze()

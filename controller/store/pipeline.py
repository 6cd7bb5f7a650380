"""How statements go to PostgreSQL: those of `Prepared` in a pipeline, and what it says of a fault without the
values that it adds, as they are numbers, digits and secrets.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg

_PIPELINES: WeakKeyDictionary[psycopg.Connection[Any], psycopg.Pipeline] = WeakKeyDictionary()


class DiscreetCursor(psycopg.Cursor[Any]):
    """Raises errors with their first line alone. What it executes has its answer at once, also in a pipeline,
    as SQLAlchemy looks at it.
    """

    def execute(self, *arguments: Any, **more: Any) -> Self:
        self.send(*arguments, **more)
        self.wait()
        return self

    def executemany(self, *arguments: Any, **more: Any) -> None:
        with _first_line_alone():
            super().executemany(*arguments, **more)

    def send(self, *arguments: Any, **more: Any) -> None:
        """Execute it; in a pipeline the answer, or the fault, comes later."""
        with _first_line_alone():
            super().execute(*arguments, **more)

    def wait(self) -> None:
        """Have the answers to everything that was sent."""
        pipeline = _PIPELINES.get(self.connection)
        if pipeline is not None:
            with _first_line_alone():
                pipeline.sync()

    def fetchone(self) -> Any:
        with _first_line_alone():
            return super().fetchone()


@contextlib.contextmanager
def pipelined(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """What is sent is on its way together, and has been answered at the end.

    Each answer that is waited for costs the way to the server and back, and the wait for the interpreter.
    """
    fault: BaseException | None = None
    try:
        with _first_line_alone(), connection.pipeline() as pipeline:
            _PIPELINES[connection] = pipeline
            try:
                yield
            except BaseException as raised:
                # Not out of the block: psycopg would log what follows from it, with all values.
                fault = raised
                with contextlib.suppress(psycopg.Error):
                    pipeline.sync()
            finally:
                del _PIPELINES[connection]
    except psycopg.Error:
        if fault is None:
            raise
    if fault is not None:
        raise fault


@contextlib.contextmanager
def _first_line_alone() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.diag.message_primary:
            error.args = (error.diag.message_primary,)
        raise

from pathlib import Path

import pytest
from engine import copy_database, database_at
from sqlmodel import Session

from controller.store.engines import make_engine
from controller.store.tables import Account, App


@pytest.fixture(scope="session")
def template(empty_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts: one with two apps, one with one."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    copy_database(empty_template, path)
    engine = make_engine(database_at(path))
    with Session(engine) as session, session.begin():
        session.add_all([Account(id="acme"), Account(id="other")])
        session.flush()
        for key, account in (("app-1", "acme"), ("app-2", "acme"), ("app-3", "other")):
            session.add(App(key=key, account_id=account, service="notification", secret="12345678"))
    engine.dispose()
    return path

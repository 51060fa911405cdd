"""Accounts in a SQL database: a session for each call, event and task that uses one.

The session is a resource. It is committed when the work has succeeded, rolled back when it has
raised or was cut, and its connection goes back to the pool in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import QueuePool, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import lymph
from lymph.core.components import Component


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = 'accounts'

    name: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Database(Component):
    """A database, as a part of the interfaces that add it."""

    def __init__(self, url: str, pool_size: int = 5) -> None:
        super().__init__()
        self.engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,  # seconds that a session waits for a connection
        )

    def on_start(self) -> None:
        Base.metadata.create_all(self.engine)

    def on_stop(self) -> None:
        self.engine.dispose()

    @lymph.resource
    def session(self) -> Iterator[Session]:
        with Session(self.engine) as session, session.begin():
            yield session


class Accounts(lymph.Interface):
    def apply_config(self, config):
        self.database = Database(config['database'], config.get('pool_size', 5))
        self.add_component(self.database)

    @lymph.rpc()
    def deposit(self, name: str, amount: int) -> int:
        """Add to an account, which is made if there is none; return the balance."""
        session = self.database.session
        account = session.get(Account, name, with_for_update=True)
        if account is None:
            account = Account(name=name, balance=0)
            session.add(account)
        account.balance += amount
        return account.balance

    @lymph.rpc(raises=ValueError)
    def transfer(self, source: str, target: str, amount: int) -> None:
        """Move an amount from one account to another, or raise ValueError and change nothing."""
        self.deposit(target, amount)
        if self.deposit(source, -amount) < 0:
            raise ValueError(f'{source} has less than {amount}')

    @lymph.rpc()
    def balance(self, name: str) -> int:
        """Return the balance of an account, 0 if there is none."""
        account = self.database.session.get(Account, name)
        return 0 if account is None else account.balance

    @lymph.event('salary_paid', retry=5)
    def on_salary(self, event: lymph.Event) -> None:
        """A failing commit is a failed attempt, so the event is handled again."""
        self.deposit(event['name'], event['amount'])

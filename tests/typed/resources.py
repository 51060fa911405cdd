"""Resources, checked by mypy and pyright."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TextIO

from typing_extensions import assert_type

import lymph
from lymph.core.components import Component
from lymph.core.resources import Resource, unit


class Files(Component):
    @lymph.resource
    def journal(self) -> TextIO:
        return open('journal')


class Accounts(lymph.Interface):
    files = Files()

    @lymph.resource
    def connection(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect('accounts'))

    @lymph.resource
    def cursor(self) -> Iterator[sqlite3.Cursor]:
        with self.connection:
            yield self.connection.cursor()

    @lymph.resource
    def number(self) -> Generator[int, None, None]:
        yield 1

    @lymph.resource
    def text(self) -> AbstractContextManager[str]:
        return nullcontext('text')

    # error: mypy[arg-type] pyright[reportArgumentType,reportCallIssue]
    @lymph.resource
    def nothing(self) -> int:
        return 1

    # error: mypy[call-overload,untyped-decorator] pyright[reportCallIssue]
    @lymph.resource()
    def with_parentheses(self) -> Iterator[int]:
        yield 1

    @lymph.rpc()
    def count(self) -> int:
        assert_type(self.connection, sqlite3.Connection)
        assert_type(self.cursor, sqlite3.Cursor)
        assert_type(self.number, int)
        assert_type(self.text, str)
        assert_type(self.files.journal, TextIO)
        # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        self.cursor.exceute('select 1')
        return self.cursor.execute('select 1').rowcount


class BetterAccounts(Accounts):
    @lymph.resource
    def cursor(self) -> Iterator[sqlite3.Cursor]:
        assert_type(super().cursor, sqlite3.Cursor)
        yield super().cursor


def uses(accounts: BetterAccounts) -> None:
    assert_type(Accounts.cursor, Resource[sqlite3.Cursor])
    assert_type(accounts.cursor, sqlite3.Cursor)
    with unit():
        accounts.count()
    accounts.cursor = sqlite3.connect('other').cursor()

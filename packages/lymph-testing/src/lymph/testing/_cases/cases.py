"""The base class of the test cases, which can be mixed in any order.

They are test cases by themselves, and mixins of others: ``class T(RpcMockTestCase)``,
``class T(RpcMockTestCase, unittest.TestCase)`` and ``class T(unittest.TestCase, RpcMockTestCase)``
are the same.
"""

from __future__ import annotations

import unittest
from typing import Any

__all__ = ['TestCase']


class _MixesInAnyOrder(type):
    """Drops bases that are bases of other bases: Python accepts those in one order only."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> _MixesInAnyOrder:
        needed = tuple(
            base
            for base in bases
            if not any(other is not base and issubclass(other, base) for other in bases)
        )
        return super().__new__(mcs, name, needed, namespace, **options)


class TestCase(unittest.TestCase, metaclass=_MixesInAnyOrder):
    """A unittest.TestCase; subclasses that have a `setUp` call ``super().setUp()`` in it."""

"""What all views of one configuration share: its root, its values, its objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lymph.config._values.nodes import Node
from lymph.config._values.paths import Path
from lymph.config._views.instances import Instances

if TYPE_CHECKING:
    from lymph.config._views.configuration import Configuration
    from lymph.config._views.views import ConfigView


class Store:
    """The state of one configuration; `view` returns the view of a path."""

    def __init__(self, root: Configuration, view: Callable[[Path], ConfigView]) -> None:
        self.root = root
        self.tree = Node({})
        self.instances = Instances(lambda: self.tree, view)

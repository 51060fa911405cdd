from __future__ import annotations

from no_such_module import Broken as Broken

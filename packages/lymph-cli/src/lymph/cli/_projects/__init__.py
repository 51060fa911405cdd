"""New projects: names that they may have, and the files that they begin with."""

from __future__ import annotations

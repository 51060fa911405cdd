"""The texts of the Lua scripts; `scripts` puts them together and lists their keys."""

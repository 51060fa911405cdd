"""The event loop: deadlines, turns, callbacks, work shared by those who wait."""

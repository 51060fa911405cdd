"""The event loop: deadlines, turns, callbacks, and work that several greenlets wait for."""

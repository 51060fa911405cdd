"""The values of a configuration in memory: a tree that knows where each value stands."""

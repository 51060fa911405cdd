"""Serial events: queues, keys, partitions."""

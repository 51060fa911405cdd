"""The registry and the partitioner in ZooKeeper."""

"""The connection to ZooKeeper: session, paths, access."""

"""What authors declare on an interface: methods, event handlers, tasks and proxies."""

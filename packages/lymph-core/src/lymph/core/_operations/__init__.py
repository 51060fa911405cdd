"""The operations port: probes, metrics and stacks over HTTP, answered by a native thread."""

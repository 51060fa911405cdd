"""OpenTelemetry: spans for units of work, and their export. Needs the extra `opentelemetry`."""

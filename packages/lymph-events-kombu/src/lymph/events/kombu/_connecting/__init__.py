"""The common parts of RabbitMQ and Redis: addresses, options, TLS and reconnecting."""

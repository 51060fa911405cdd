"""What RabbitMQ and Redis share: addresses, options, TLS, and the connection that comes back."""

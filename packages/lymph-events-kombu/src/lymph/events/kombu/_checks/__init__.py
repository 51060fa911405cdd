"""The checks of RabbitMQ for `lymph doctor`, each in a module of its own."""

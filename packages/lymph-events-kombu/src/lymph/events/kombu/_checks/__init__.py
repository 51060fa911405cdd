"""The checks of `lymph doctor` that look at RabbitMQ, one in each module."""

"""Events through RabbitMQ, or another broker that speaks AMQP 0-9-1."""

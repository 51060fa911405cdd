"""Events through RabbitMQ, and through other brokers that kombu reaches over AMQP."""

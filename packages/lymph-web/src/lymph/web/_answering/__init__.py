"""From a request to an answer: routes, handlers, errors, health."""

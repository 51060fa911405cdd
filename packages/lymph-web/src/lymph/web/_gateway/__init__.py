"""The parts of `lymph.web.gateway`: methods of services, offered to HTTP clients."""

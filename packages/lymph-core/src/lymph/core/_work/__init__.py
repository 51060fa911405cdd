"""Units of work: the interceptors that wrap them, and the resources that they own."""

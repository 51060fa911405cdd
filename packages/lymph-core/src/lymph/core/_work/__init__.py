"""Units of work: the chains of interceptors around them, and what lives as long as one of them."""

"""A third-party distribution that extends lymph by entry points alone."""

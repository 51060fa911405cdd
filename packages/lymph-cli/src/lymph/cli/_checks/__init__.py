"""The checks of `lymph doctor` that concern no backend in particular, one in each module."""

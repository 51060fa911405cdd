"""What is measured. Each module has both halves of one subject:

- `driving`: how its client runs callers, a module of `bench.driving`;
- `serve(ready, **options)` listens, calls `ready(endpoint)` and answers `echo(text)` for ever;
- `connect(endpoint, **options)` returns a function that makes one call and returns the text.
"""

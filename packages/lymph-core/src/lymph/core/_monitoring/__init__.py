"""Log records for an operator, and the watchdog of a blocked loop."""

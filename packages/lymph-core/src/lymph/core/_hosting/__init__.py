"""Where what authors write meets what travels: calls in, events in, instances made known."""

"""Tables, colors and bars."""

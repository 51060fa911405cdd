"""HTTP servers side by side: requests a second, and what a request costs."""

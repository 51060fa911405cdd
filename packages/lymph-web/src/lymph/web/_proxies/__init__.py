"""What proxies in front of the server say about a request, and how much of it is believed."""

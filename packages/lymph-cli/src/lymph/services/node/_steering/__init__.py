"""How a running node is found and told what to do."""

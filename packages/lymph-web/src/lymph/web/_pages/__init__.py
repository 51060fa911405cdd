"""What the pages of lymph-web share: how their files are served, and modules that several use."""

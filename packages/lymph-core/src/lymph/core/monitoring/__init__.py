"""What a running container tells about itself."""

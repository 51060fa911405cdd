"""What browsers expect of answers: origins, encodings, header fields."""

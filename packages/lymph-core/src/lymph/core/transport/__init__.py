"""Carriers of frames between endpoints; they know no messages."""

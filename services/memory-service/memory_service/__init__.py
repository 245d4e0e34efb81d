"""Stores a user's memories and finds them again by meaning."""

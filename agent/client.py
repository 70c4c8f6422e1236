"""The daemon's socket, seen from outside."""

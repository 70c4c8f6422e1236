"""Frames of others on a serial line, told apart by their checksums. Pure."""

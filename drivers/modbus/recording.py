"""A line's raw frames in a file: one exchange a line, whichever framing it had."""

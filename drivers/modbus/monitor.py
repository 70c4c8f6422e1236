"""What passes on a line, told to whoever wants to know, in the words of the profiles."""

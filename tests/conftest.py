"""What every test shares."""

import signal

# a shell starts background jobs with Ctrl-C ignored, and programs under test would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)

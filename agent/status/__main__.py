"""`python -m agent.status` is `fieldpost-status`."""

import sys

from agent.status import main

if __name__ == "__main__":
    sys.exit(main())

"""Ask the status page: `ask.py PATH [TOKEN]`. Prints the answer; 1 and the status when refused."""

import sys
import urllib.error
import urllib.request

PLACE = "http://127.0.0.1:8080"

path, token = (*sys.argv[1:], "")[:2]
headers = {"Authorization": f"Bearer {token}"} if token else {}
try:
    with urllib.request.urlopen(urllib.request.Request(PLACE + path, headers=headers)) as answer:  # noqa: S310 - the scheme is ours
        sys.stdout.write(answer.read().decode())
except urllib.error.HTTPError as refused:
    sys.exit(f"{refused.code}")

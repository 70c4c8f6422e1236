"""`python -m agent.cli`: the command where no script is installed."""

from agent.cli import main

main()

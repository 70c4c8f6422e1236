"""A cloud on this machine that keeps the platform's device contract, for the demo and the tests."""

from agent.demo.sandbox.authority import Authority, Period
from agent.demo.sandbox.server import Sandbox
from agent.demo.sandbox.trouble import Body, Control, Trouble

__all__ = ["Authority", "Body", "Control", "Period", "Sandbox", "Trouble"]

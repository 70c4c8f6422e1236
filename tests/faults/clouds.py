"""Destinations for the faults of network and cloud, impatient enough for a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.cloud import Cloud
from agent.cloud.http.client import HttpClient
from agent.cloud.http.destination import HttpCloud
from agent.cloud.http.destination import Plan as HttpPlan
from agent.cloud.mqtt.destination import MqttCloud, options_of
from agent.cloud.tesaiot.account import Pace
from agent.cloud.tesaiot.destination import made
from agent.cloud.tesaiot.opening import Plan as TesaiotPlan
from agent.cloud.tls import context
from agent.demo.sandbox import Sandbox
from agent.secret import Secret
from tests.cloud.conftest import GATEWAY, mqtt_plan

SOON_S = 5.0  # what answers at all takes a hundredth of it, unless the machine is very busy


@asynccontextmanager
async def http(
    url: str,
    *,
    deadline_s: float = SOON_S,
    receipt: str = "echo",
    made_of: type[HttpClient] = HttpClient,
) -> AsyncIterator[Cloud]:
    client = made_of(url, context())
    cloud = HttpCloud(
        GATEWAY, HttpPlan(url, "tok", receipt=receipt), client, "tok", deadline_s=deadline_s
    )
    try:
        yield cloud
    finally:
        await cloud.aclose()


@asynccontextmanager
async def tesaiot(
    sandbox: Sandbox, pace: Pace | None = None, *, url: str | None = None
) -> AsyncIterator[Cloud]:
    plan = TesaiotPlan("b", url=url)
    secrets = {"b": Secret("b", sandbox.bundle("fp-demo-01"))}
    cloud = made(plan, secrets, pace or Pace(0.0, SOON_S))
    try:
        yield cloud
    finally:
        await cloud.aclose()


@asynccontextmanager
async def mqtt(
    port: int, *, answer_s: float = SOON_S, made_of: type[MqttCloud] = MqttCloud, **more: str
) -> AsyncIterator[MqttCloud]:
    plan = mqtt_plan(port, **more)
    cloud = made_of(GATEWAY, plan, options_of(plan, {}), answer_s=answer_s)
    try:
        yield cloud
    finally:
        await cloud.aclose()

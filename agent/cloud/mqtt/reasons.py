"""What a broker's reason codes mean for us (MQTT 5.0, 2.4; 3.1.1, 3.2.2.3)."""

import ssl

from paho.mqtt.reasoncodes import ReasonCode

from agent.cloud import BatchRefused, Misconfigured, Unauthorized, Unreachable
from agent.cloud.tls import explain
from agent.errors import FieldpostError

REFUSED = 0x80  # this and above are failures
PROTOCOL_VERSION = (0x84, 1)  # unsupported, in 5 and as 3.1.1 says it
CLIENT_ID = (0x85, 2)
CREDENTIALS = (0x86, 4)
NOT_AUTHORIZED = (0x87, 5)
BANNED = 0x8A
BAD_METHOD = 0x8C
TAKEN_OVER = 0x8E
TOPIC_INVALID = 0x90
TOO_LARGE = 0x95
PAYLOAD_INVALID = 0x99
SERVER_MOVED = (0x9C, 0x9D)

PERSON_NEEDED = {*CREDENTIALS, *NOT_AUTHORIZED, BANNED, BAD_METHOD}


class OldProtocol(Unreachable):
    """The broker does not speak MQTT 5; it may speak 3.1.1."""


def connecting(code: int, text: str, host: str, client_id: str) -> FieldpostError:
    """Why a broker refused the connection."""
    found: FieldpostError = Unreachable(f"{host} is there but refuses connections ({text.lower()})")
    if code in PROTOCOL_VERSION:
        found = OldProtocol(f"{host} does not speak this version of MQTT")
    elif code in PERSON_NEEDED:
        message = f"{host} does not accept the credentials ({text.lower()})"
        action = "Check user name, password, certificate and client_id"
        found = Unauthorized(message, action=action)
    elif code in CLIENT_ID:
        message = f"{host} does not accept the client id '{client_id}'"
        found = Misconfigured(message, action="Write another `client_id:`")
    elif code in SERVER_MOVED:
        message = f"{host} says that the broker is elsewhere now"
        found = Misconfigured(message, action="Check `url:` of this destination")
    return found


def publishing(answer: ReasonCode, host: str, topic: str) -> FieldpostError | None:
    """Why a broker did not take a message; None when it did."""
    code, text = number(answer), str(answer)
    if code < REFUSED:
        return None
    found: FieldpostError = Unreachable(f"{host} takes no messages at present ({text.lower()})")
    if code in NOT_AUTHORIZED:
        message = f"{host} does not let us publish to {topic}"
        action = "Allow this topic in the broker's access list"
        found = Unauthorized(message, action=action)
    elif code == TOPIC_INVALID:
        message = f"{host} does not accept the topic {topic}"
        found = Misconfigured(message, action="Check `topic:` of this destination")
    elif code == PAYLOAD_INVALID:
        found = BatchRefused("the broker judged the payload invalid")
    return found


def unconnected(error: BaseException | None, host: str) -> FieldpostError:
    """Why there is no connection at all."""
    if error is None:
        return Unreachable(f"{host} cannot be reached")
    if isinstance(error, ssl.SSLError) and (found := explain(error, host)):
        return found
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Unreachable(f"{host} cannot be reached ({why})")


def taken_over(client_id: str) -> Misconfigured:
    """Somebody else connects under our name; coming straight back would only start a fight."""
    message = f"another client uses the client id '{client_id}' and has taken the session over"
    return Misconfigured(message, action="Give each gateway its own `client_id:`")


def number(code: ReasonCode) -> int:
    """The code as it was on the wire."""
    return int(code.value)

"""Where the platform is: six shapes of `endpoints.json`, and what the texts say (`tesaiot`, 8.4).

The address for a key is `api_base_url`: in server-TLS bundles `ingest_base_url` is the listener
that asks for a certificate. QUIC and WebSocket addresses are not used.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from agent.cloud.tesaiot.findings import Finding, finding

PASSWORD_PORT = 8884
CERTIFICATE_PORT = 8883
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(slots=True)
class Endpoints:
    """Addresses by way in; the first claim wins. MQTT ones are `host:port`."""

    key_url: str | None = None
    certificate_url: str | None = None
    mqtt_password: str | None = None
    mqtt_certificate: str | None = None
    quic: bool = False
    named: bool = False
    remarks: list[Finding] = field(default_factory=list)

    def read(self, document: dict[str, Any]) -> bool:
        """Take what a JSON document says; False when it says nothing of addresses."""
        if "mqtt_quic" in document or "quic" in document or document.get("transport") == "quic":
            self.quic = True
            return True
        before = self.named
        self._read_urls(document)
        self._read_mqtt(document)
        return self.named > before or any(key in document for key in _KEYS)

    def read_line(self, label: str, value: str) -> bool:
        """Take one labelled line of a text; False when it is no address."""
        if label == "API Endpoint":
            self._https("key_url", value)
        elif label == "MQTT Broker":
            self._broker("mqtt_password", value)
        else:
            return False
        return True

    def judge(self) -> list[Finding]:
        """What is wrong with the addresses; never an error, the user can give others."""
        hosts = {_host(a) for a in (self.key_url, self.certificate_url) if a}
        hosts |= {_host(f"//{a}") for a in (self.mqtt_password, self.mqtt_certificate) if a}
        found = list(self.remarks)
        if hosts & LOOPBACK:
            found.append(finding("endpoint.loopback"))
        if not self.named:
            found.append(finding("endpoint.missing"))
        return found

    def _read_urls(self, document: dict[str, Any]) -> None:
        for name, kind in _URLS:
            if isinstance(value := document.get(name), str):
                self._https(kind, value)

    def _read_mqtt(self, document: dict[str, Any]) -> None:
        mqtt = document.get("mqtt")
        for part, kind in (("tls", "mqtt_password"), ("mtls", "mqtt_certificate")):
            place = mqtt.get(part) if isinstance(mqtt, dict) else None
            if isinstance(place, dict):
                self._set(kind, f"{place.get('host')}:{place.get('port')}")
        if isinstance(host := document.get("mqtt_host"), str):
            self._set("mqtt_password", f"{host}:{document.get('mqtt_tls_port', PASSWORD_PORT)}")
            port = document.get("mqtt_mtls_port", CERTIFICATE_PORT)
            self._set("mqtt_certificate", f"{host}:{port}")
        if isinstance(broker := document.get("mqtt_broker"), str):
            mutual = document.get("auth_mode") == "mtls"
            kind = "mqtt_certificate" if mutual else "mqtt_password"
            self._broker(kind, broker, document.get("mqtt_port"))

    def _https(self, kind: str, value: str) -> None:
        parts = _parts(value)
        self._set(kind, f"https://{parts.netloc}")

    def _broker(self, kind: str, value: str, port: Any = None) -> None:
        parts = _parts(value if "//" in value else f"//{value}")
        default = CERTIFICATE_PORT if kind == "mqtt_certificate" else PASSWORD_PORT
        port = parts.port or port or default
        if kind == "mqtt_password" and port == CERTIFICATE_PORT:
            self.remarks.append(finding("endpoint.port_corrected"))
            port = PASSWORD_PORT
        self._set(kind, f"{parts.hostname}:{port}")

    def _set(self, kind: str, address: str) -> None:
        self.named = True
        host = _host(address if "//" in address else f"//{address}")
        if not host or host.startswith("your-") or "<" in host:
            self.remarks.append(finding("endpoint.placeholder", address=address))
        elif getattr(self, kind) is None:
            setattr(self, kind, address)


_URLS = (
    ("api_base_url", "key_url"), ("ingest_base_url", "certificate_url"), ("https_api", "key_url"),
    ("server_url", "key_url"),
)  # fmt: skip
_KEYS = frozenset({name for name, _ in _URLS} | {"mqtt", "mqtt_host", "mqtt_broker"})


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where the port is not one
    except ValueError:
        return urlsplit("//<broken>")
    return parts


def _host(url: str) -> str:
    return _parts(url).hostname or ""

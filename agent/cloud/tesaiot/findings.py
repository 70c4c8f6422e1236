"""What can be said of a bundle: stable codes, and a sentence and a remedy for each."""

from dataclasses import dataclass, field

AGAIN = "in the portal: download it again"

# code → (message, what to do); {…} are filled in by the finding
TEXTS: dict[str, tuple[str, str]] = {
    "bundle.unrecognised": ("there is nothing in it that opens the platform", AGAIN),
    "bundle.unsafe_archive": (
        "this zip is damaged or wants to write outside its folder; nothing was read from it",
        "download it again from the portal itself",
    ),
    "device_id.missing": ("no file says for which device it is", AGAIN),
    "device_id.placeholder": (
        "the device id is still the example's",
        "write the device's own id into device_id.txt",
    ),
    "device_id.conflict": ("the files name two devices, {ids}", "use one bundle per device"),
    "device_id.invalid": (
        "'{id}' cannot be a device id: the platform takes letters, digits, - and _",
        "give the device another id in the portal",
    ),
    "device_id.too_long": (
        "this device id has {length} characters; uploads work with at most 50",
        "use another device",
    ),
    "api_key.placeholder": (
        "the bundle holds no API key",
        "in the portal: regenerate the API key and download again",
    ),
    "api_key.kind_unsupported": (
        "this key is of a kind that the platform accepts nowhere ({kind})",
        "in the portal: regenerate the API key",
    ),
    "mqtt_password.placeholder": (
        "the bundle holds no MQTT password",
        "in the portal: reset the MQTT password and download again; the old password stops working",
    ),
    "ca_chain.absent": (
        "the bundle names no certificate authority",
        "nothing, when the platform's certificate is a public one; else give its CA as `ca:`",
    ),
    "ca_chain.invalid_pem": (
        "{file} is not a certificate; the portal's certificate service was away when it was made",
        "download it again",
    ),
    "ca_chain.no_ca": (
        "{file} holds no certificate authority, only a device certificate",
        "download it again, do not rename files",
    ),
    "client_certificate.missing": (
        "this device has to show a certificate for MQTT, and there is none here",
        "nothing, when HTTPS is enough; else download the certificate bundle as well",
    ),
    "client_certificate.invalid_pem": (
        "{file} is not a certificate yet",
        "in the portal: download it again later",
    ),
    "client_certificate.untrusted": (
        "{file} does not come from the authority in the CA chain",
        "download both together",
    ),
    "client_certificate.expired": (
        "the certificate ended on {date}",
        "renew it in the portal",
    ),
    "client_certificate.not_yet_valid": (
        "the certificate begins on {date}, and this gateway's clock says {now} ({trust})",
        "fieldpost doctor gateway",
    ),
    "private_key.missing": (
        "there is a certificate but not its private key",
        "put the key you made the request with next to it",
    ),
    "private_key.mismatch": ("{key} does not belong to {file}", "download both together"),
    "private_key.encrypted": (
        "the private key is encrypted for a machine of the platform",
        "make a key on this gateway: fieldpost enroll --csr",
    ),
    "secure_element.unsupported": (
        "this bundle is for a secure element; its key never leaves the chip",
        "in the portal: download a certificate or server-TLS bundle",
    ),
    "transport.quic_unsupported": (
        "this bundle is for MQTT over QUIC",
        "the same user name and password work on port 8884: download the server-TLS bundle",
    ),
    "endpoints.invalid_json": ("{file} is cut short or not JSON", AGAIN),
    "endpoint.missing": (
        "the bundle does not say where the platform is",
        "add  url: https://...  below `cloud:`",
    ),
    "endpoint.placeholder": (
        "{address} is an example, not an address",
        "add  url: https://...  below `cloud:`",
    ),
    "endpoint.loopback": (
        "the bundle points to localhost",
        "add  url: https://...  below `cloud:`",
    ),
    "endpoint.port_corrected": (
        "the bundle says port 8883, which wants a certificate; a password works on 8884",
        "nothing, 8884 is used",
    ),
}

# absent things: a warning as long as there is a way in, an error when there is none
ABSENCES = frozenset(
    {"device_id.placeholder", "api_key.placeholder", "mqtt_password.placeholder",
     "private_key.missing"}
)  # fmt: skip
# never more than a warning
REMARKS = frozenset(
    {"ca_chain.absent", "client_certificate.missing", "endpoint.missing", "endpoint.placeholder",
     "endpoint.loopback", "endpoint.port_corrected"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say of a bundle.

    Attributes:
        code: stable (`tesaiot`, 8.3).
        facts: what the sentence names.
        warning: whether the bundle can be used all the same.
    """

    code: str
    facts: tuple[tuple[str, str], ...] = field(default=())
    warning: bool = False

    @property
    def message(self) -> str:
        """One plain sentence."""
        return TEXTS[self.code][0].format(**dict(self.facts))

    @property
    def fix(self) -> str:
        """What to do about it."""
        return TEXTS[self.code][1]


def finding(code: str, **facts: str) -> Finding:
    """A finding with its facts."""
    return Finding(code, tuple(facts.items()))

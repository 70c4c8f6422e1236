"""Is this CA chain one that can be trusted? Judged by the standard library alone.

Python's `ssl` loads a file without any authority in it without complaint, and then trusts nothing.
"""

import ssl
from collections.abc import Sequence

from agent.cloud.tesaiot.findings import Finding, finding


def judge_authority(file: str, blocks: Sequence[bytes], *, cut: bool) -> Finding | None:
    """What is wrong with a CA chain, or None."""
    anchors = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        for block in blocks:
            anchors.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(block.decode("ascii")))
    except (ssl.SSLError, ValueError):
        return finding("ca_chain.invalid_pem", file=file)
    if cut or not blocks:
        return finding("ca_chain.invalid_pem", file=file)
    if not anchors.cert_store_stats()["x509_ca"]:
        return finding("ca_chain.no_ca", file=file)
    return None

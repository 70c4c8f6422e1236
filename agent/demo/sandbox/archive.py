"""The far end of a `kind: http` destination: takes batches, echoes what it has."""

import gzip
import hmac

import orjson
from fastapi import APIRouter, Request

from agent.demo.sandbox.devices import Refused
from agent.demo.sandbox.store import Row, Store
from agent.plan import Json

PATH = "/v1/measurements"


def archive_routes(store: Store, token: str) -> APIRouter:
    """One route, opened by one bearer token."""
    router = APIRouter(tags=["archive"])

    @router.post(PATH)
    async def take(request: Request) -> Json:
        """Store a batch; the echo is the receipt."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), b"Bearer " + token.encode()):
            raise Refused(401, "UNAUTHORIZED", "The token is not accepted")
        body = await request.body()
        packed = request.headers.get("content-encoding") == "gzip"
        document = orjson.loads(gzip.decompress(body) if packed else body)
        store.add([_row(document, record) for record in document["records"]])
        return {name: document[name] for name in ("epoch", "first", "last", "count")}

    return router


def _row(document: Json, record: Json) -> Row:
    identity = {"epoch": document["epoch"], "seq": record["seq"]}
    metadata = {**identity, "gateway": document["gateway"]}
    return Row(record["device"], record["time"], record["values"], metadata)

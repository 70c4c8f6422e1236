"""What the gateway in the container talks to: a Modbus meter that counts, a server that keeps.

Runs under the installed environment: `python -I peers.py FOLDER`. The meter's two registers are a
number that grows with every answer, never repeated within a test. What the server has acknowledged
stands in FOLDER/records, one JSON record a line, written before the answer.
"""

import asyncio
import http.server
import json
import sys
import threading
from pathlib import Path

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

METER, SERVER = 1502, 8081
ECHOED = ("epoch", "first", "last", "count")


class Meter:
    """Counts the answers it gave, over restarts too."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "count"
        self._count = int(self._file.read_text()) if self._file.exists() else 0

    async def answer(
        self, code: int, start: int, address: int, count: int, registers: list[int], *_: object
    ) -> None:
        """Put the next number where pymodbus takes its answer from."""
        del code, start, address, count
        self._count += 1
        registers[0:2] = divmod(self._count, 0x10000)
        self._file.write_text(str(self._count))


class Keeper(http.server.BaseHTTPRequestHandler):
    """Writes down, then answers with a receipt; 503 while FOLDER/refuse is there."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_POST(self) -> None:
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if (self.folder / "refuse").exists():
            self.send_response(503)
            told = b""
        else:
            with (self.folder / "records").open("a") as file:
                file.writelines(
                    json.dumps({"epoch": batch["epoch"], **record}) + "\n"
                    for record in batch["records"]
                )
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            told = json.dumps({key: batch[key] for key in ECHOED}).encode()
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        pass


async def main(folder: Path) -> None:
    """Serve both until killed."""
    Keeper.folder = folder
    keeper = http.server.ThreadingHTTPServer(("127.0.0.1", SERVER), Keeper)
    threading.Thread(target=keeper.serve_forever, daemon=True).start()
    words = [SimData(0, values=[0, 0], datatype=DataType.REGISTERS)]
    device = SimDevice(1, words, action=Meter(folder).answer)
    await ModbusTcpServer([device], address=("127.0.0.1", METER)).serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

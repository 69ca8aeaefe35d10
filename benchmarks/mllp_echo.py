"""The yardstick for MLLP: python-hl7's own server, which parses and does nothing but `create_ack`.

`python -m benchmarks.mllp_echo PORT`: one process on uvloop, nothing is stored.
"""

import sys

import uvloop
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


async def _serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except (EOFError, ConnectionError):
        writer.close()


async def _run(port: int) -> None:
    async with await start_hl7_server(_serve, "127.0.0.1", port, encoding="latin-1") as server:
        await server.serve_forever()


def main() -> None:
    """Serve on the port given, until the process is ended."""
    uvloop.run(_run(int(sys.argv[1])))


if __name__ == "__main__":
    main()

"""Endpoints to be asked: providers that know every model and answer at once, and one that never does, each on
a port of its own, in a process of their own.

    python endpoints.py HEALTHY

Prints the base URLs as a line of JSON, the silent one's last, and serves until standard input ends.
"""

import asyncio
import json
import sys
from urllib.parse import unquote

BACKLOG = 512


async def answer(reader, writer):
    """Answer every question of a connection with the model that it is about."""
    try:
        while request := await _request(reader):
            model = unquote(request.split(b" ", 2)[1].decode().rpartition("/")[2])
            body = json.dumps({"id": model, "object": "model", "owned_by": "bench"}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
    finally:
        writer.close()


async def stay_silent(reader, writer):
    """Take what comes and say nothing."""
    try:
        while await _request(reader):
            pass
    finally:
        writer.close()


async def _request(reader):
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def serve(healthy):
    """Serve until standard input ends."""
    talks = (*[answer] * healthy, stay_silent)
    servers = [await asyncio.start_server(talk, "127.0.0.1", 0, backlog=BACKLOG) for talk in talks]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps([f"http://127.0.0.1:{port}/v1" for port in ports]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

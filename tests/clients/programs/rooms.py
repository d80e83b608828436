"""Rooms by Python's `websockets`: joins, speaks, and prints each frame as a line, then how it was closed."""

import asyncio
import json
import os
import urllib.request

import websockets

ORIGIN = os.environ["ROOMS"]
TOKEN = os.environ["TOKEN"]
WAY = os.environ["WAY"]


def ticket():
    headers = {"Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"http://{ORIGIN}/rooms/ticket", method="POST", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["ticket"]


def connect():
    url = f"ws://{ORIGIN}/rooms"
    if WAY == "ticket":
        url += f"?ticket={ticket()}"
    options = {"subprotocols": ["hubward.rooms.v1"]}
    if WAY == "header":
        # Called so since version 13 of the library.
        name = "additional_headers" if int(websockets.__version__.split(".")[0]) >= 14 else "extra_headers"
        options[name] = {"Authorization": f"Bearer {TOKEN}"}
    return websockets.connect(url, **options)


async def main():
    try:
        async with connect() as socket:
            print(f"subprotocol {socket.subprotocol}", flush=True)
            if WAY == "first frame":
                await socket.send(json.dumps({"type": "auth", "id": 1, "token": TOKEN}))
            async for text in socket:
                print(text, flush=True)
                if json.loads(text)["type"] == "ready":
                    await socket.send(json.dumps({"type": "join", "id": 2, "room": "ward/icu"}))
                    note = {"type": "publish", "id": 3, "room": "ward/icu", "event": "note", "payload": "from afar"}
                    await socket.send(json.dumps(note))
            print(f"closed {socket.close_code} {socket.close_reason}", flush=True)
    except websockets.exceptions.ConnectionClosedError as closed:
        print(f"closed {closed.code} {closed.reason}", flush=True)
    except Exception as refused:
        print(f"refused {refused}", flush=True)


asyncio.run(main())

"""A client of a serial console, as a browser is one.

serial_console.py URL CAFILE SUBPROTOCOL <STEPS

STEPS are lines: `see TEXT` waits until TEXT has come since the last step, `type TEXT` types TEXT and Return.
What comes is written to standard output as it is.
"""

import asyncio
import base64
import ssl
import sys

from websockets.asyncio.client import connect


async def main(url, authority, subprotocol):
    context = ssl.create_default_context(cafile=authority) if url.startswith("wss:") else None
    async with connect(url, ssl=context, subprotocols=[subprotocol]) as console:
        assert console.subprotocol == subprotocol, console.subprotocol
        heard = b""
        for step in sys.stdin:
            word, _, text = step.rstrip("\n").partition(" ")
            if word == "type":
                keys = (text + "\n").encode()
                await console.send(base64.b64encode(keys).decode() if subprotocol == "base64" else keys)
                continue
            while text.encode() not in heard:
                frame = await asyncio.wait_for(console.recv(), 60)
                frame = base64.b64decode(frame) if isinstance(frame, str) else frame
                sys.stdout.buffer.write(frame)
                sys.stdout.buffer.flush()
                heard += frame
            heard = heard.partition(text.encode())[2]


asyncio.run(main(*sys.argv[1:]))

"""The other person in a call.

Serves a page that sends its camera to us, and stores what arrives. python -m tests.e2e.peer FOLDER.

Writes ``address`` (the page's), ``page`` (the page's own report, JSON), ``pictures`` (raw, RGB,
``SIZE``) and ``arrivals``: for each picture a line with the system's monotonic clock in seconds, the sender's
clock (RTP, 90 kHz) and the width and height that were received.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

SIZE = (384, 216)
"""Width and height of the stored pictures."""

CONNECTING = 30.0

PAGE = b"""<!doctype html><title>call</title><script>
const tell = (path, what) => fetch(path, {method: "POST", body: JSON.stringify(what)});
// A camera that has just been published is not listed at once.
async function open(wanted, triesLeft) {
  try {
    return await navigator.mediaDevices.getUserMedia({video: wanted});
  } catch (error) {
    if (error.name != "NotFoundError" || !triesLeft) throw error;
    await new Promise(done => setTimeout(done, 250));
    return open(wanted, triesLeft - 1);
  }
}
async function call() {
  const stream = await open({width: {ideal: WIDTH}, height: {ideal: HEIGHT}, frameRate: {ideal: 30}}, 60);
  const [camera] = stream.getVideoTracks();
  camera.contentHint = "motion";
  const connection = new RTCPeerConnection();
  connection.addTrack(camera, stream);
  await connection.setLocalDescription(await connection.createOffer());
  await new Promise(done => {
    connection.onicegatheringstatechange = () => connection.iceGatheringState == "complete" && done();
    connection.onicegatheringstatechange();
  });
  const answer = await tell("/offer", {type: "offer", sdp: connection.localDescription.sdp});
  await connection.setRemoteDescription(await answer.json());
  await tell("/page", {camera: camera.label, settings: camera.getSettings()});
}
call().catch(error => tell("/page", {error: `${error}`}));
</script>"""


class Call:
    """One connection that only receives."""

    def __init__(self, folder: Path) -> None:
        from aiortc import RTCPeerConnection

        self._folder = folder
        self._connection = RTCPeerConnection()
        self._connection.add_listener(
            "track", lambda track: self._tasks.append(asyncio.ensure_future(self._watch(track)))
        )
        self._tasks: list[asyncio.Future[None]] = []

    async def answer(self, offer: dict[str, str]) -> dict[str, str]:
        from aiortc import RTCSessionDescription

        await self._connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        answer = self._connection.localDescription
        return {"sdp": answer.sdp, "type": answer.type}

    async def _watch(self, track: Any) -> None:
        width, height = SIZE
        with (
            (self._folder / "pictures").open("wb") as pictures,
            (self._folder / "arrivals").open("w") as arrivals,
        ):
            while True:
                frame = await track.recv()
                now = time.monotonic()
                pictures.write(frame.reformat(width, height, "rgb24").to_ndarray().tobytes())
                pictures.flush()
                arrivals.write(f"{now:.6f} {frame.pts} {frame.width} {frame.height}\n")
                arrivals.flush()


def main() -> int:
    folder, width, height = Path(sys.argv[1]), *sys.argv[2:4]
    page = PAGE.replace(b"WIDTH", width.encode()).replace(b"HEIGHT", height.encode())
    loop = asyncio.new_event_loop()
    call = Call(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(page, "text/html")

        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/offer":
                answer = asyncio.run_coroutine_threadsafe(call.answer(json.loads(said)), loop).result(
                    CONNECTING
                )
                self._reply(json.dumps(answer).encode(), "application/json")
            else:
                (folder / "page").write_bytes(said)
                self._reply(b"{}", "application/json")

        def _reply(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    (folder / "address").write_text(f"http://127.0.0.1:{server.server_port}/\n")
    loop.run_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())

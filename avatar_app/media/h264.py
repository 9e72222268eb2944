"""Live H.264: every picture in comes out as bytes at once, and back."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from avatar_app.types import Image


class H264Encoder:
    """x264 without look-ahead or reordering, so that it holds no picture back.

    Args:
        width, height: even.
        bits: a second.
    """

    def __init__(self, width: int, height: int, fps: int, bits: int) -> None:
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, fps)
        context.framerate = Fraction(fps, 1)
        context.bit_rate = bits
        context.gop_size = 1_000_000  # key frames on demand only
        context.thread_count = 1
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"vbv-maxrate={bits // 1000}:vbv-bufsize={bits // 3000}",
        }
        self._context, self._count = context, 0

    def encode(self, picture: Image, key: bool) -> tuple[bytes, bool]:
        """The bytes of one picture (height, width, 3), and whether they are a key frame, as ``key`` asks
        for."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, self._count = self._count, self._count + 1
        frame.pict_type = av.video.frame.PictureType.I if key else av.video.frame.PictureType.NONE
        packets = self._context.encode(frame.reformat(format="yuv420p"))
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)

    def close(self) -> None:
        self._context.encode(None)


class H264Decoder:
    """Decodes what ``H264Encoder`` made."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("h264", "r")
        self._context.thread_type = "NONE"
        self._context.options = {"flags": "low_delay"}

    def decode(self, data: bytes) -> Image:
        """One picture.

        Raises ValueError if the bytes hold none: they are damaged, or a key frame is missing.
        """
        try:
            frames = self._context.decode(av.Packet(data))
        except av.FFmpegError as problem:
            raise ValueError(f"the picture is damaged: {problem}") from None
        if not frames:
            raise ValueError("no picture")
        return np.ascontiguousarray(frames[-1].to_ndarray(format="rgb24"))

    def close(self) -> None:
        pass

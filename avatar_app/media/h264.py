"""Live H.264: encode and decode picture by picture without delay."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np

from avatar_app.types import Image


class H264Encoder:
    """x264 without look-ahead or reordering, so that it delays no picture.

    Args:
        width, height: even.
        bits: a second.
        gray: pictures of one plane (height, width), full range.
    """

    def __init__(self, width: int, height: int, fps: int, bits: int, gray: bool = False) -> None:
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = width, height
        context.pix_fmt = "gray" if gray else "yuv420p"
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
        self._gray = gray

    def encode(self, picture: Image, key: bool) -> tuple[bytes, bool]:
        """Encode one picture (height, width, 3).

        Returns its bytes and whether they are a key frame, as ``key`` asks for.
        """
        # OpenCV converts in a third of the time that FFmpeg takes.
        planes: Image = np.asarray(
            picture if self._gray else cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8
        )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format=self._context.pix_fmt or "")
        frame.pts, self._count = self._count, self._count + 1
        frame.pict_type = av.video.frame.PictureType.I if key else av.video.frame.PictureType.NONE
        packets = self._context.encode(frame)
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)

    def close(self) -> None:
        self._context.encode(None)


class H264Decoder:
    """Decodes the output of ``H264Encoder``."""

    def __init__(self, gray: bool = False) -> None:
        self._gray = gray
        self._context = av.CodecContext.create("h264", "r")
        self._context.thread_type = "NONE"
        self._context.options = {"flags": "low_delay"}

    def decode(self, data: bytes) -> Image:
        """Decode one picture.

        Raises ValueError if the bytes hold none: they are damaged, or a key frame is missing.
        """
        try:
            frames = self._context.decode(av.Packet(data))
        except av.FFmpegError as problem:
            raise ValueError(f"the picture is damaged: {problem}") from None
        if not frames:
            raise ValueError("no picture")
        frame = frames[-1]
        if self._gray:
            return _brightness(frame)
        planes = frame.to_ndarray(format="yuv420p")
        return np.ascontiguousarray(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420), np.uint8)

    def close(self) -> None:
        pass


def _brightness(frame: av.VideoFrame) -> Image:
    """Copy the first plane as it is.

    FFmpeg's own conversion would take milliseconds, and stretch a full range as if it were a limited one.
    """
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: frame.height, : frame.width])

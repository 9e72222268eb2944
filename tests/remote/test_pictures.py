"""Layers survive encoding and decoding."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.remote.pictures import CODECS, open_decoder, open_encoder
from avatar_app.types import Layer


def soft_layer(offset: int = 0) -> Layer:
    """Colours and alpha that change slowly from one side to the other."""
    ramp = np.linspace(0, 255, 128).astype(np.uint8)
    alpha = np.tile(np.roll(ramp, offset), (96, 1))
    return Layer(np.dstack((alpha, alpha[:, ::-1], np.full_like(alpha, 90))), alpha, (0, 0))


@pytest.mark.parametrize("codec", CODECS)
def test_half_transparent_pixels_stay_as_they_are(codec: str) -> None:
    """A converted range would make hair more solid than it is."""
    encoder, decoder = open_encoder(codec, 30), open_decoder(codec)
    try:
        for offset in range(5):
            layer = soft_layer(offset)
            made = encoder.encode(layer, False)
            colours, alpha = decoder.decode(made.data, made.alpha)
            assert layer.alpha is not None
            assert alpha is not None
            between = (layer.alpha > 16) & (layer.alpha < 240)
            assert abs((alpha.astype(int) - layer.alpha)[between].mean()) < 1
            assert np.abs(colours.astype(int) - layer.image)[:, 16:112].mean() < 8
    finally:
        encoder.close()
        decoder.close()


def test_a_picture_that_comes_after_the_end_opens_no_encoder() -> None:
    """It may still be rendered when its session ends."""
    encoder = open_encoder("h264", 30)
    encoder.close()
    with pytest.raises(ValueError, match="ended"):
        encoder.encode(soft_layer(), True)

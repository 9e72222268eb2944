"""Rendering on another computer: key points go there, pictures come back, the camera's frames stay here."""

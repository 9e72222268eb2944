"""Rendering on another computer.

Key points go there, pictures come back, the camera's frames stay here.
"""

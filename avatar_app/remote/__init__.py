"""Render on another computer: key points go there, pictures come back.

The camera's frames stay here.
"""

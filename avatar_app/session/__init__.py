"""A running call, and the offline path.

Stages, the slots between them, controls in, status out.
"""

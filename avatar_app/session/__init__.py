"""A running call, and the offline path: stages, the slots between them, controls in, status out."""

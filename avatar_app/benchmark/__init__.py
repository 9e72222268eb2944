"""How fast a model runs on this computer: every stage of a frame's way, held against the original and against the hardware.

`chain` is one frame's way in one thread, `runs` lets settings take turns, `report` makes figures of what they measured.
"""

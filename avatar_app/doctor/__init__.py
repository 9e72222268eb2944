"""Would a call work on this computer?"""

"""X2Face (Wiles et al., ECCV 2018).

An embedded face, warped by a code read off the driver.
"""

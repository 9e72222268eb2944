"""X2Face (Wiles et al., ECCV 2018): an embedded face, warped by the driver's code."""

"""X2Face (Wiles et al., ECCV 2018): an unwrapped face, warped by a code that a driving network reads off one picture."""

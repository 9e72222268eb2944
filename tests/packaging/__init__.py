"""Tests of what users install: the wheel, and the bundles that packaging/ builds."""

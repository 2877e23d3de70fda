"""Adversarial search: gradient ascent on left/right of an inequality, then exact certificates of what it finds."""

"""Measurements of gradients and curvature: gradient noise, sharpness."""

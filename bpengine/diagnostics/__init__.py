"""What a network's gradients and curvature tell: gradient noise, sharpness."""

"""The network: its shape, activations, losses, metrics, random streams, arrays and examples."""

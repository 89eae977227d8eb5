"""The `bpsweep` command."""

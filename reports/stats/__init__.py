"""Statistics on tidy tables: intervals, tests, fits."""

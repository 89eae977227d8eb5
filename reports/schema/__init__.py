"""What goes in: tables, columns, units, and how numbers are written."""

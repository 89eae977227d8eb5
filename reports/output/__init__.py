"""The page, tables, figures and files of a report."""

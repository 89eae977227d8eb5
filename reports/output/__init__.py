"""The page, tables, figures and files of a report; nothing is drawn with before it is needed."""

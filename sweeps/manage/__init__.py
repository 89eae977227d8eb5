"""What can be done with a study: forecast, status, export, merge, times by themselves."""

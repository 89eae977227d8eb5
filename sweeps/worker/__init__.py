"""What a worker process executes."""

"""What keeps handlers and gateways running: links, threads, processes, signals."""

"""Runs handlers and gateways: attaches again, starts threads and processes, ends on signals."""

"""Workers, requests and responses for event loops."""

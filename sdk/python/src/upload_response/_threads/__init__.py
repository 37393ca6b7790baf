"""Workers, requests and responses for threads."""

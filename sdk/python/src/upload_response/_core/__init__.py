"""Links, requests and responses. Nothing here waits, so that threads and event loops share it."""

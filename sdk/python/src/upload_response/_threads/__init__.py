"""The SDK for threads, which sleep where they have to wait."""

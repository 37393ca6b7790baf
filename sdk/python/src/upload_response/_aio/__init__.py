"""The SDK for event loops."""

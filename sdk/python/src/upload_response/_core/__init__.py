"""Requests, responses and links without waiting: nothing here knows threads or event loops."""

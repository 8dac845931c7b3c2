"""Processes that run code nobody trusts."""

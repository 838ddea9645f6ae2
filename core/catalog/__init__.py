"""Datasets, models with their versions and aliases, and API keys."""

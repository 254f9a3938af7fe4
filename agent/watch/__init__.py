"""Watches: alert rules evaluated on live video."""

"""Watches: alert rules judged on live video."""

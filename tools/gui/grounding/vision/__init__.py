"""Grounding in pixels: text, controls, rows, windows, menus and icons."""

"""FREAK: questions about photographs with one detail against common sense; does a model report what it sees?"""

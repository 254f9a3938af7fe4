"""FREAK: questions on photographs with one detail against common sense; does a model tell what it sees?"""

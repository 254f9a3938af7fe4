"""ProactiveBench: does a model ask for a view that helps, if the given one is not enough?"""

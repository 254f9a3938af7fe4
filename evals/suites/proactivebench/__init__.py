"""ProactiveBench: does a model ask for a view that helps, where the one it is given does not suffice?"""

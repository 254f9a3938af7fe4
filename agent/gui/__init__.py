"""Work on graphical screens, from the command line."""

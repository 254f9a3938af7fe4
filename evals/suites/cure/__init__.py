"""CURE (arXiv 2603.19274): diagnosis of cases under controlled evidence; given against retrieved evidence."""

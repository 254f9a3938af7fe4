"""CURE (arXiv 2603.19274): diagnoses of cases under controlled evidence; what given evidence is worth over found."""

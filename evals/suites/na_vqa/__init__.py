"""NA-VQA (arXiv 2603.19481): questions about whole films, by how far apart their evidence is."""

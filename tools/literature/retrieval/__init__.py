"""Retrieval of papers: query expansion, rank fusion, deduplication, relevance."""

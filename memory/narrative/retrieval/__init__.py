"""Retrieval over narrative memory: BM25, vectors and their fusion along links."""

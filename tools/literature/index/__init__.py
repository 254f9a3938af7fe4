"""Local index of papers: SQLite, BM25 and vectors."""

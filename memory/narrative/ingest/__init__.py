"""Ingestion: subtitles and transcripts to cues, segments and events."""

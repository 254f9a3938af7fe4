"""Loader of Presidio's analyser, if the extra `privacy` and a spaCy model are installed: `analyzer`."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def analyzer() -> Any:
    """Return Presidio's analyser, or the reason why it is unavailable. Its language model is never downloaded."""
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError as error:
        return f"Presidio is not installed ({error})"
    english = [name for name in spacy.util.get_installed_models() if name.startswith("en")]
    model = max(english, key=lambda name: ("_lg" in name, "_md" in name), default="")
    if not model:
        return "no English spaCy model, such as en_core_web_lg, is installed"
    setup = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    return AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration=setup).create_engine(), supported_languages=["en"]
    )

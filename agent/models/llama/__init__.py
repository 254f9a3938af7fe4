"""The backend `llama:FILE.gguf`: language models of llama.cpp that are handed evidence about frames as text."""

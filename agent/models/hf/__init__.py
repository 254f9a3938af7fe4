"""The backend `hf:`: vision-language models of transformers."""

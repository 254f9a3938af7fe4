"""The backend `openai:`: servers that speak the chat-completions protocol."""

"""Web server and page: one room per source, with a conversation, live pictures and the memory timeline."""

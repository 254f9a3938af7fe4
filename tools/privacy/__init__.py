"""Detection and redaction of personal details in texts and pictures, and the check of what leaves the machine."""

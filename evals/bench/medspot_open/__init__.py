"""An open sequel to MedSPOT: tasks in its format, made by playing them in programs that anyone may install."""

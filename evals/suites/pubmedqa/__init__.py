"""PubMedQA: yes, no or maybe to questions of research, with and without their abstracts."""

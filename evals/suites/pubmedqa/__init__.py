"""PubMedQA: yes/no/maybe questions of biomedical research, with and without their abstracts."""

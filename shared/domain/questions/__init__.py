"""What is asked: suites and their files, questions, prompts."""

"""What is made of transcripts: summaries. It knows texts, neither devices nor the library."""

"""The best snapshot → a model to serve and a GIF of it learning; publishes blessed ones."""

"""How alike two tasks are: similarities of embeddings, their weighted mean, and weights fitted to transfer."""

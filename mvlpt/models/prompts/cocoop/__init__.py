"""CoCoOp: text prompts conditioned on the image."""

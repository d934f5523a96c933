"""CoOp: text prompts."""

"""The forward pass through a frozen tower with prompts among its tokens."""

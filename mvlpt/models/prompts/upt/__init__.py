"""UPT: text and visual prompts together."""

"""VPT: visual prompts."""

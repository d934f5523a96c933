"""Results, plans and task graphs for people: tables, pictures, a live display, leaderboard files."""

"""Plans and running jobs, for people: tables, pictures, a live display."""

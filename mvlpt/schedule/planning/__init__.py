"""From an experiment file to a plan of jobs with their estimated costs."""

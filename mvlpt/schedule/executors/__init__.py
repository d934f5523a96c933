"""Where jobs run: this machine, Ray, SLURM, or this very process, behind one protocol."""

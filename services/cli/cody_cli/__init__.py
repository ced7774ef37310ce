"""`cody-batch`: start the programs on this machine, submit jobs, follow them, fetch what came of them, operate."""

"""`./dev demo`: a real job on three sample repositories, from POST /jobs to patches that apply."""

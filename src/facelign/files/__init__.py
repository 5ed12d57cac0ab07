"""Files on this machine: atomic writes, digests, plain arrays and pickles, the home folder."""

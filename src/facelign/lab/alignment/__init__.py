"""What alignment is worth: every arm against the unaligned one."""
